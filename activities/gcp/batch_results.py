"""What a batch prediction of Vertex AI leaves, put in the order of the rows: each line has the number of its row as its key."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from activities.gcp.errors import CLOUD
from activities.rows import Rows
from activities.stopping import asked_to_stop, stop_error
from activities.store import Store, put_small
from contracts.artifacts import Artifact
from contracts.errors import ErrorDetail, ErrorKind, failure

ROWS_PER_FILE = 20_000
"""Rows that are held at once while they are sorted, and the predictions of one file."""
RESULTS = ("prediction.results-", "predictions_")
"""How files of predictions are named: by what Vertex AI does, and by its documentation."""


def put_in_order(store: Store, source: str, target: str, owner: str) -> int:
    """Write the predictions below the target, a line for each row, and return how many there are.

    Raises:
        ApplicationError: `JOB_FAILED`, a row has no prediction or more than one; nothing is written then but whole files.
        CancelledError: the activity was cancelled.
    """
    with tempfile.TemporaryDirectory(prefix="causeway-batch-") as folder:
        files = _shared_out(store, source.rstrip("/") + "/", Path(folder))
        written = 0
        for index, path in enumerate(files):
            if asked_to_stop():
                raise stop_error()
            lines = _sorted(path, index, last=index == len(files) - 1, source=source)
            content = "".join(f"{line}\n" for line in lines).encode()
            name = f"{target}part-{index:06d}.jsonl"
            put_small(store, name, content, owner=owner, media_type="application/jsonl")
            written += len(lines)
    return written


def _shared_out(store: Store, source: str, folder: Path) -> list[Path]:
    """Spread the results over files of neighbouring rows; however many there are, memory holds one line."""
    found: set[int] = set()
    for key, prediction in _results(store, source):
        index = key // ROWS_PER_FILE
        found.add(index)
        with (folder / f"{index}").open("a") as file:
            file.write(f"{key}\t{prediction}\n")
    if found != set(range(len(found))) or not found:
        raise _incomplete(source)
    return [folder / f"{index}" for index in sorted(found)]


def _results(store: Store, source: str) -> Iterator[tuple[int, str]]:
    everything = Rows(
        store, Artifact(uri=source, kind="folder", size_bytes=0, object_count=0, digest="0" * 64), "jsonl"
    )
    for held in everything.objects():
        if not held.uri.removeprefix(source).startswith(RESULTS):
            continue
        for line in everything.of(held):
            if asked_to_stop():
                raise stop_error()
            try:
                yield int(line["key"]), json.dumps(line["prediction"])
            except (ValueError, TypeError, KeyError):
                raise _incomplete(source) from None


def _sorted(path: Path, index: int, *, last: bool, source: str) -> list[str]:
    lines = [line.rstrip("\n").split("\t", 1) for line in path.read_text().split("\n") if line]
    lines.sort(key=lambda line: int(line[0]))
    keys = [int(key) for key, _ in lines]
    first = index * ROWS_PER_FILE
    if keys != list(range(first, first + len(keys))) or (not last and len(keys) != ROWS_PER_FILE):
        raise _incomplete(source)
    return [prediction for _, prediction in lines]


def _incomplete(source: str) -> Exception:
    text = f"{source} holds not one prediction for each row"
    return failure(ErrorKind.JOB_FAILED, text, ErrorDetail(cloud=CLOUD, ref=source))
