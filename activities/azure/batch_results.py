"""What a batch endpoint's job leaves, put where it was asked for: a file of predictions for each file of rows."""

from activities.azure.errors import CLOUD
from activities.listed import objects_below
from activities.stopping import asked_to_stop, stop_error
from activities.store import Store, put_small
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure


def put_predictions(store: Store, folders: tuple[str, str], target: str, owner: str) -> int:
    """Copy the predictions of the rows below the first folder from the second, and return how many there are.

    Memory holds one file, which has no more lines than a file of rows.

    Raises:
        ApplicationError: `JOB_FAILED`, a file of rows has not one prediction for each.
        CancelledError: the activity was cancelled.
    """
    rows, scored = folders
    found = {_last(held.uri): held for held in objects_below(store, scored)}
    written = 0
    for wanted in objects_below(store, rows):
        if asked_to_stop():
            raise stop_error()
        name = _last(wanted.uri)
        content = _content(store, found.get(name))
        lines, count = content.count(b"\n"), _content(store, wanted).count(b"\n")
        if lines != count:
            text = f"{scored} holds {lines} predictions for the {count} rows of {name}"
            raise failure(ErrorKind.JOB_FAILED, text, ErrorDetail(cloud=CLOUD, ref=wanted.uri))
        put_small(store, target + name, content, owner=owner, media_type="application/jsonl")
        written += lines
    return written


def _content(store: Store, held: ObjectStat | None) -> bytes:
    return b"".join(store.read(held)) if held else b""


def _last(uri: str) -> str:
    return uri.rpartition("/")[2]
