"""A first pipeline of one's own: a folder with a commented file, two scripts, their data and a test."""

import json
import re
import sys
from pathlib import Path

from contracts.spec import PIPELINE_NAME
from starter.exits import Exit, StarterError

SHIPPED = Path(__file__).resolve().parent / "first"
CALLED = "first-steps"
"""What the pipeline is called where it is shipped."""


def init(name: str, *, as_json: bool = False) -> Exit:
    """Write the folder NAME here; nothing that is there already is touched.

    Raises:
        StarterError: the name is none for a pipeline, or something of that name is there.
    """
    if not re.fullmatch(PIPELINE_NAME.strip("^$"), name) or name == "copy":
        raise StarterError(
            f"{name!r} is no name for a pipeline: write a lower-case letter, then up to 39 lower-case letters, "
            "digits and '-'; it cannot be 'copy'"
        )
    folder = Path(name)
    write(folder, name)
    if as_json:
        files = [str(folder / file.relative_to(SHIPPED)) for file in _files()]
        sys.stdout.write(
            json.dumps({"pipeline": name, "folder": str(folder), "files": files}, indent=2) + "\n"
        )
        return Exit.SUCCEEDED
    sys.stdout.write(_said(folder))
    return Exit.SUCCEEDED


def write(folder: Path, name: str) -> None:
    """Put the shipped pipeline into a new folder, under this name."""
    try:
        folder.mkdir()
    except FileExistsError:
        raise StarterError(f"{folder} is there already; choose another name, or move it away") from None
    except OSError as error:
        raise StarterError(f"{folder} cannot be made in {Path.cwd()}: {error.strerror}") from None
    for file in _files():
        target = folder / file.relative_to(SHIPPED)
        target.parent.mkdir(exist_ok=True)
        target.write_text(file.read_text().replace(CALLED, name))


def _files() -> list[Path]:
    return [file for file in sorted(SHIPPED.rglob("*")) if file.is_file() and file.suffix != ".pyc"]


def _said(folder: Path) -> str:
    files = "".join(f"  {folder / file.relative_to(SHIPPED)}\n" for file in _files())
    return (
        f"wrote\n{files}\ntest it:  python -m pytest {folder}\nrun it:   python -m starter run {folder}\n"
        f"the steps after that: docs/tutorial.md\n"
    )
