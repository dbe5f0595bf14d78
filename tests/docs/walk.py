"""A how-to walked through: its shell as it stands, by bash, in an empty folder beside the checkout's files.

`aws` is judged by a stand-in that knows the SDK's models. `gcloud`, `az`, `bq` and the rest have no model here: they are
written down, and answered. Their flags were compared by hand with the vendors' own parsers, as each page says; no test can.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.docs import books
from tests.docs.stand_in import ANSWER
from tests.house import CHECKOUT

VENDORS = (
    *("aws", "gcloud", "az", "bq", "docker", "kubectl", "eksctl", "temporal"),
    *("sudo", "curl", "git", "ssh", "tar"),
)
_FENCE = re.compile(r"^```(?P<info>sh[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


_NOTED = """{ printf %s "${0##*/}"; printf '\\x1f%s' "$@"; printf '\\x1e'; } >> "$STAND_IN_LOG"\n"""
_JUDGED = f"""[ -z "${{JUDGED_BEFORE:-}}" ] || {{ echo {ANSWER}; exit; }}
exec {sys.executable} {CHECKOUT}/tests/docs/stand_in.py \"$@\"
"""
_ANSWERED = f"""case " $* " in *" - "* | *" --password-stdin "* | " tee "*) cat > /dev/null ;; esac
case " $* " in *" json "*) echo {{}} ;; *) echo {ANSWER} ;; esac"""


class Walked(NamedTuple):
    code: int
    err: str
    commands: list[list[str]]
    """Every command of a vendor that was given, as its words."""
    folder: Path


def shell(page: str, *, also: str | None = None, until: str = "", only: tuple[str, ...] = ()) -> str:
    """The shell of a page, to a heading or of some headings only.

    Of blocks with a second word only those with this one are taken: `None` takes all, an empty one none.
    """
    taken = []
    for section in re.split(r"^## ", books.read(page), flags=re.MULTILINE):
        title = section.partition("\n")[0]
        if until and title == until:
            break
        if not only or title in only:
            taken += [
                block["text"]
                for block in _FENCE.finditer(section)
                if also is None or block["info"].partition(" ")[2] in {"", also}
            ]
    return "\n".join(taken)


def stated(page: str) -> set[str]:
    """Variables that the page's prose says the reader has."""
    return {word for word in books.spans(books.read(page)) if re.fullmatch(r"[A-Z][A-Z0-9_]*", word)}


def walk(text: str, folder: Path, given: Mapping[str, str]) -> Walked:
    """Let bash do what stands there; a variable nobody set, a command that fails and a refused option end it."""
    prepare(folder)
    log = folder / "commands"
    log.touch()
    environment = {
        "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder),
        "USER": "reader",
        "PYTHONPATH": str(CHECKOUT),
        "STAND_IN_LOG": str(log),
        **given,
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    commands = [record.split("\x1f") for record in log.read_text().split("\x1e")[:-1]]
    return Walked(done.returncode, done.stderr, commands, folder)


def prepare(folder: Path) -> None:
    """Make the folder look like a checkout with a venv, and the vendors' commands the stand-in's."""
    (folder / "bin").mkdir()
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("docs", "pipelines", "docker-compose.yaml"):
        (folder / name).symlink_to(CHECKOUT / name)
    for name in VENDORS:
        write(folder / "bin" / name, _NOTED + (_JUDGED if name == "aws" else _ANSWERED))
    write(folder / "bin" / "make", f"ln -sfn {folder}/.venv .venv")
    # Only what asks nobody is run: the words of all others are judged where the page's commands are.
    python = f'case "$3" in permissions|schema|validate) exec {sys.executable} "$@" ;; esac\necho {ANSWER}'
    write(folder / ".venv" / "bin" / "python", python)


def write(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/bash\n{text}\n")
    file.chmod(0o755)


def inherited() -> dict[str, str]:
    """What a walk needs of the outside to start Python at all."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
