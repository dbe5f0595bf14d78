"""What compose's profile `emulator` starts, as processes: it becomes well, and ends with nothing left."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.units import parse_duration
from tests.docs.test_deploy import parsed
from tests.house import CHECKOUT, PATIENCE_SECONDS, Sandbox, until

SERVICE: dict[str, Any] = parsed("docker-compose.yaml")["services"]["emulator"]


@pytest.fixture
def emulator() -> Iterator[Sandbox]:
    held = Sandbox(Path(tempfile.mkdtemp(prefix="cw-")))
    try:
        yield held
    finally:
        held.down()
        shutil.rmtree(held.root, ignore_errors=True)


def test_the_emulators_command_becomes_well_runs_and_ends_on_sigterm_with_nothing_left(
    emulator: Sandbox,
) -> None:
    shell, flags, script = SERVICE["command"]
    # Compose takes $$ for $; in the image the first python is that of its environment.
    told = {**emulator.variables, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    process = subprocess.Popen([shell, flags, script.replace("$$", "$")], env=told, cwd=CHECKOUT)
    try:
        word, *health = SERVICE["healthcheck"]["test"]
        assert word == "CMD"

        def well() -> bool:
            return subprocess.run(health, env=told, cwd=CHECKOUT, capture_output=True).returncode == 0

        until(well, "the healthcheck passes")
        assert emulator.starter("run", "--on-failure", "fail", timeout=PATIENCE_SECONDS).code == 0
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(parse_duration(SERVICE["stop_grace_period"]).total_seconds())
    assert code == 0
    assert emulator.commands() == []
