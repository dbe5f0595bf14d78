from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sandbox import tools
from sandbox.cli import app
from sandbox.layout import Layout, SandboxError


@pytest.fixture(autouse=True)
def private_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_SANDBOX", str(tmp_path / "box"))


def sandbox(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("command", [["status"], ["env", "aws"]], ids=" ".join)
def test_without_a_sandbox_the_command_that_makes_one_is_named(command: list[str]) -> None:
    result = sandbox(*command)
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "python -m sandbox up" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["up", "--only", "aws,clowd"],
        ["env", "oracle"],
        ["logs", "clowd"],
        ["logs", "--follow"],
        ["fault", "clowd", "away"],
        ["fault", "azure", "explode"],
        ["fault", "aws", "slow"],
        ["fault", "aws", "away"],
        ["status", "--what"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(command: list[str]) -> None:
    result = sandbox(*command)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_an_unknown_server_is_answered_with_those_that_exist() -> None:
    assert "there are temporal, aws, blob" in sandbox("logs", "clowd").stderr


def test_a_fault_is_written_for_the_server_to_read_and_cleared_again(tmp_path: Path) -> None:
    assert sandbox("fault", "azure", "slow", "--seconds", "30", "--delay", "2").exit_code == 0
    (fault,) = json.loads((tmp_path / "box" / "faults" / "azure.json").read_text())
    assert (fault["kind"], fault["seconds"]) == ("slow", 2)
    sandbox("fault", "azure", "clear")
    assert json.loads((tmp_path / "box" / "faults" / "azure.json").read_text()) == []


def test_tools_that_are_built_are_not_built_again(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path, tools=tmp_path / "tools", checkout=tmp_path)
    stamp = layout.tools / "jobs" / ".built-from"
    stamp.parent.mkdir(parents=True)
    stamp.write_text(tools._digest("jobs"))
    said: list[str] = []
    tools.ensure(layout, ["jobs"], said.append)
    assert said == []


def test_a_tool_that_cannot_be_built_is_named_with_the_installers_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installer = tmp_path / "uv"
    installer.write_text("#!/bin/sh\necho 'disk is full' >&2\nexit 7\n")
    installer.chmod(0o755)
    monkeypatch.setattr(tools, "_find_uv", lambda: str(installer))
    layout = Layout(root=tmp_path, tools=tmp_path / "tools", checkout=tmp_path)
    with pytest.raises(SandboxError, match="cannot build jobs: uv ended with 7:\n  disk is full"):
        tools.ensure(layout, ["jobs"], lambda _line: None)
    assert not (layout.tools / "jobs" / ".built-from").exists()
