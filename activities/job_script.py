"""The one script that every cloud's machine runs: it prepares a folder, then becomes the stage's command."""

import shlex
from collections.abc import Mapping, Sequence

from contracts.jobs import Argument, JobRequest
from contracts.machines import CHECKPOINT_DIR


def arguments(request: JobRequest, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> list[str]:
    """Return the command with this machine's paths in place; a folder's path carries no trailing slash."""
    paths = {"inputs": inputs, "outputs": outputs}
    return [_join(argument, paths) for argument in request.command]


def render_script(
    request: JobRequest,
    *,
    code: str | None,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    work: str,
    before: Sequence[str] = (),
    checkpoint: str | None = None,
) -> str:
    """Return the text of `run.sh` for POSIX sh; every value is quoted, so nothing is interpreted.

    Args:
        request: the job.
        code: folder of the published code on the machine; it may be read-only, hence the copy.
        inputs: path of each input on the machine.
        outputs: path of each output's folder on the machine.
        work: a folder that may be written; it becomes the working directory.
        before: lines of sh, none of them a pipeline's, that come right before the command.
        checkpoint: a folder that outlives the machine, if the job has one.
    """
    lines = ["#!/bin/sh", "set -eu", f"mkdir -p {_quote(work)}"]
    if code is not None:
        lines.append(f"cp -R {_quote(code.rstrip('/') + '/.')} {_quote(work)}")
    lines += [f"cd {_quote(work)}", "if [ -f requirements.txt ]; then"]
    lines += ["  python -m pip install --quiet --disable-pip-version-check -r requirements.txt", "fi"]
    lines += [f"mkdir -p {_quote(path)}" for path in outputs.values()]
    if checkpoint is not None:
        folder = _quote(checkpoint.rstrip("/"))
        lines += [f"mkdir -p {folder}/", f"{CHECKPOINT_DIR}={folder}", f"export {CHECKPOINT_DIR}"]
    lines += before
    lines.append("exec " + shlex.join(arguments(request, inputs, outputs)))
    return "\n".join(lines) + "\n"


def _join(argument: Argument, paths: Mapping[str, Mapping[str, str]]) -> str:
    return "".join(
        piece if isinstance(piece, str) else paths[piece.role][piece.name].rstrip("/") for piece in argument
    )


def _quote(path: str) -> str:
    # A path that begins with a dash would be taken for an option.
    return shlex.quote(f"./{path}" if path.startswith("-") else path)
