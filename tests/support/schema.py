"""Checks what commands print with --json against docs/command-line.schema.json."""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["check_output", "schema"]


@functools.cache
def schema() -> Any:
    """Return the schema."""
    file = Path(__file__).parents[2] / "docs" / "command-line.schema.json"
    return json.loads(file.read_text("utf-8"))


def check_output(name: str, said: object) -> None:
    """Assert that this is what the command prints, or an error, without undocumented fields."""
    # The Windows lane has no jsonschema; what is printed there is printed by the same code.
    if sys.platform == "win32" and importlib.util.find_spec("jsonschema") is None:
        return
    failed = isinstance(said, dict) and list(said) == ["error"]
    fault = next(_validator("error" if failed else name).iter_errors(said), None)
    assert fault is None, f"{name} --json, {fault.json_path}: {fault.message}"


@functools.cache
def _validator(name: str) -> Any:
    import jsonschema

    closed = {"$ref": f"#/$defs/{name}", "$defs": _closed(schema()["$defs"])}
    return jsonschema.Draft202012Validator(closed)


def _closed(part: Any) -> Any:
    """Refuse every field that the schema does not have: a later version may have more."""
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    closed = {key: _closed(each) for key, each in part.items()}
    return closed | {"additionalProperties": False} if "properties" in closed else closed
