"""The stages' code folders: found beside the pipeline's file, checked and packed."""

import fnmatch
from pathlib import Path

from contracts.code import CODE_LIMIT_BYTES, CodeBundle, pack

LEFT_OUT = (
    "__pycache__",
    "*.pyc",
    ".git",
    ".venv",
    ".DS_Store",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".pytest_cache",
)
"""Names that never belong to a stage's code."""


class CodeProblem(Exception):
    """A code folder cannot be used; says why and what would be right."""


def pack_folder(base: Path, folder: str) -> CodeBundle:
    """Pack a code folder below the pipeline's own folder.

    Raises:
        CodeProblem: it is missing, empty, leaves the pipeline's folder, or is too large.
    """
    root = (base / folder).resolve()
    if not root.is_relative_to(base.resolve()):
        raise CodeProblem(f"{folder!r} leaves the pipeline's folder; put the code beside the pipeline's file")
    if not root.is_dir():
        raise CodeProblem(f"{folder!r} is not a folder; it is looked for at {root}")
    files = _read(root)
    if not files:
        raise CodeProblem(f"{folder!r} holds no files")
    return pack(files)


def check_total(bundles: dict[str, CodeBundle]) -> None:
    """Refuse code that is too large to travel in a message.

    Raises:
        CodeProblem: all folders together, packed and encoded, exceed the limit.
    """
    total = sum(len(bundle.archive) for bundle in bundles.values())
    if total > CODE_LIMIT_BYTES:
        limit = CODE_LIMIT_BYTES // 1024
        raise CodeProblem(
            f"the code weighs {total // 1024} KiB packed, over the limit of {limit} KiB; put more into the image"
        )


def _read(root: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    unpacked = 0
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if any(fnmatch.fnmatch(part, pattern) for part in relative.parts for pattern in LEFT_OUT):
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise CodeProblem(f"{relative.as_posix()!r} is a link out of the code folder")
        if not path.is_file():
            continue
        unpacked += path.stat().st_size
        if unpacked > 64 * CODE_LIMIT_BYTES:
            raise CodeProblem(
                f"the code folder holds more than {64 * CODE_LIMIT_BYTES // 1024**2} MiB; put data into a store"
            )
        files[relative.as_posix()] = path.read_bytes()
    return files
