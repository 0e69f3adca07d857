"""The version, where both setuptools and the package read it."""

from __future__ import annotations

__version__ = "0.1.0"
