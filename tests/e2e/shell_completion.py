"""A real bash that has the script of `completion`, asked what Tab would offer."""

import subprocess
import sys
from pathlib import Path

from tests.house import CHECKOUT, PATIENCE_SECONDS

ASK = r"""
source "$1"
COMP_LINE=$2 COMP_POINT=${#2}
eval "COMP_WORDS=($3)"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
$(complete -p causeway | sed 's/.*-F \([^ ]*\).*/\1/')
for reply in "${COMPREPLY[@]}"; do printf '%s\n' "$reply"; done
"""


def script(folder: Path, shell: str = "bash") -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "starter", "completion", shell],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    file = folder / f"causeway.{shell}"
    file.write_text(done.stdout)
    return file


def bash(command: str, *arguments: str, variables: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        ["bash", "--norc", "-c", command, "bash", *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def offered(line: str, file: Path, variables: dict[str, str]) -> list[str]:
    """What bash offers at the end of a line, in another folder than the checkout."""
    return bash(ASK, str(file), line, line, variables=variables, folder=file.parent).splitlines()
