"""The schema of --json is valid and covers each command; commands.py checks what they print."""

from __future__ import annotations

import re
from typing import Any

import click
import pytest
from support.schema import check_output, schema

from pydbgwrite.cli.main import group

jsonschema: Any = pytest.importorskip("jsonschema", reason="Linux processes: the lane has none")
COMMANDS = group.list_commands(click.Context(group))


def test_the_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    text = str(schema())
    for name in re.findall(r"#/\$defs/(\w+)", text):
        assert name in schema()["$defs"]


def test_each_command_is_described() -> None:
    described = {each["$ref"].rpartition("/")[2] for each in schema()["anyOf"]}
    assert described == {*COMMANDS, "error"}
    for name in COMMANDS:
        assert f"pydbgwrite {name} --json" in schema()["$defs"][name]["description"]


@pytest.mark.parametrize(
    "said",
    [
        {"pid": 1},
        {"pid": 1, "modules": [], "more": 1},
        {"pid": 1, "modules": [{"name": "a", "base": "0x01", "size": 1, "path": ""}]},
        {"pid": 1, "modules": [{"name": "a", "base": 16, "size": 1, "path": ""}]},
        {"error": {"message": "", "type": "", "exit_code": 1, "color": ""}},
    ],
)
def test_other_output_is_refused(said: object) -> None:
    with pytest.raises(AssertionError, match=r"modules --json, \$"):
        check_output("modules", said)


def test_output_as_described() -> None:
    check_output("modules", {"pid": None, "modules": []})
    check_output("modules", {"error": {"message": "", "type": "", "exit_code": 3}})
