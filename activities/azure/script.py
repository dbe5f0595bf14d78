"""A job's `run.sh` and the one line that starts it, so that no text of a pipeline comes into that line.

Azure Machine Learning pastes the paths of inputs and outputs into the command as text, where a shell reads it. They go
from there to the script as positional arguments, in single quotes; everything else lies quoted in the script.
"""

import hashlib
import re
from collections.abc import Iterable

from activities.job_script import render_script
from contracts.artifacts import locate
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobRequest

SCRIPT_INPUT = "causeway_job"
CODE_INPUT = "causeway_code"
CHECKPOINT_OUTPUT = "causeway_checkpoint"
DRIVER_INPUT = "causeway_driver"
ROWS_INPUT = "causeway_rows"
"""Of batches only."""
WORK = "causeway-work"
"""Below the folder the job starts in, which is its own and may be written."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNQUOTABLE = re.compile(r"['\x00-\x1f]")


def check_names(request: JobRequest) -> None:
    """Pass if every name and path that the vendor will paste into the command is harmless between single quotes.

    Raises:
        ApplicationError: `INVALID_REQUEST`.
    """
    reserved = {SCRIPT_INPUT, CODE_INPUT, CHECKPOINT_OUTPUT}
    reserved |= {DRIVER_INPUT, ROWS_INPUT} if request.batch else set()
    for name in (*request.inputs, *request.outputs):
        if not _NAME.fullmatch(name) or name in reserved:
            raise _refused(request, f"{name!r} cannot name an input or output of an Azure job")
    uris = [artifact.uri for artifact in request.inputs.values()] + list(request.outputs.values())
    for uri in uris:
        if _UNQUOTABLE.search(locate(uri).name):
            raise _refused(
                request, f"{uri!r} has a quote or control character, which Azure cannot hand to a job"
            )


def command_line(request: JobRequest) -> str:
    """Return the job's command: the script and, in order, the paths it takes."""
    places = [f"inputs.{SCRIPT_INPUT}", *_places(request)]
    return "sh " + " ".join(f"'${{{{{place}}}}}'" for place in places)


def script(request: JobRequest) -> str:
    """Return the text of `run.sh`, which takes the paths that `command_line` gives it."""
    marks = {place: f"<{request.digest} {place}>" for place in _places(request)}
    text = render_script(
        request,
        code=marks.get(f"inputs.{CODE_INPUT}"),
        inputs={name: marks[f"inputs.{name}"] for name in request.inputs},
        outputs={name: marks[f"outputs.{name}"] for name in request.outputs},
        work=WORK,
        checkpoint=marks.get(f"outputs.{CHECKPOINT_OUTPUT}"),
    )
    # A mark holds a space and angle brackets, so it lies between single quotes; no pipeline can contain its own digest.
    for position, mark in enumerate(marks.values(), start=1):
        text = text.replace(mark, f"'\"${{{position}}}\"'")
    return text


def sha256(text: bytes) -> str:
    """Return the identity of a script."""
    return hashlib.sha256(text).hexdigest()


def _places(request: JobRequest) -> Iterable[str]:
    if request.code is not None:
        yield f"inputs.{CODE_INPUT}"
    yield from (f"inputs.{name}" for name in request.inputs)
    yield from (f"outputs.{name}" for name in request.outputs)
    if request.resources.spot:
        yield f"outputs.{CHECKPOINT_OUTPUT}"


def _refused(request: JobRequest, message: str) -> Exception:
    return failure(ErrorKind.INVALID_REQUEST, message, ErrorDetail(cloud="azure", ref=request.name))
