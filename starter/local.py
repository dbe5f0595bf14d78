"""The laptop's clouds: brings them up when no Temporal is configured, and says so."""

import os
import subprocess
import sys
from pathlib import Path

from starter.exits import Exit, StarterError

CHECKOUT = Path(__file__).resolve().parents[1]
_CONFIGURED = ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE")


def temporal_is_configured() -> bool:
    """Whether the environment or a profile says where Temporal is; then nothing is started."""
    if any(os.environ.get(name) for name in _CONFIGURED):
        return True
    from temporalio.envconfig import ClientConfig

    return "target_host" in ClientConfig.load_client_connect_config()


def bring_up() -> None:
    """Start the sandbox and its workers, a line on standard error for each that did not run; leave them running.

    Raises:
        StarterError: something did not come up; it has said why.
    """
    command = [sys.executable, "-m", "sandbox", "up", "--workers", "--brief"]
    if subprocess.run(command, cwd=CHECKOUT, stdout=sys.stderr, check=False).returncode:  # noqa: S603 - our own module
        raise StarterError("the sandbox did not come up; its lines above say why", Exit.UNREACHABLE)


def adopt_environment() -> bool:
    """Take over the sandbox's address of Temporal and of its Web UI; False when no sandbox has been made."""
    settings = _environment()
    os.environ.update(settings)
    return bool(settings)


def sandbox_address() -> str | None:
    """Where the sandbox's Temporal is when it is up; None when no sandbox has been made."""
    return _environment().get("TEMPORAL_ADDRESS")


def _environment() -> dict[str, str]:
    """What `sandbox up` has written for this command; `sandbox env starter` says the same, but as a process more."""
    file = CHECKOUT / (os.environ.get("CAUSEWAY_SANDBOX") or ".sandbox") / "env" / "starter.env"
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in lines)
