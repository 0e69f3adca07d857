"""The paths of files and folders in the clone, or in the unpacked sdist."""

from __future__ import annotations

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parents[1]
SUPPORT: Final = TESTS / "support"
ROOT: Final = TESTS.parent
