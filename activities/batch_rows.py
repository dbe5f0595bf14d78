"""The rows of a batch as each vendor's batch service, or the driver, reads them: JSON lines below a prefix of the job's own."""

import json
from collections.abc import Callable

from activities.rows import Row, Rows
from activities.stopping import asked_to_stop, stop_error
from activities.store import Store, put_small
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobRequest
from contracts.units import MIB

FILE_BYTES = 8 * MIB
"""The size a file of rows has, about: small enough for one part, large enough for a vendor to share out."""
Render = Callable[[Row], str]


def put_rows(store: Store, prefix: str, request: JobRequest, render: Render = json.dumps) -> int:
    """Write the rows of a batch request below the prefix, in their order, and return how many there are.

    Files that an earlier attempt has left are left alone: the same rows are cut alike.

    Raises:
        ApplicationError: `INVALID_REQUEST` (no rows, or not of the format), `SOURCE_MISSING`.
        CancelledError: the activity was cancelled.
    """
    if request.batch is None:
        raise failure(ErrorKind.INVALID_REQUEST, f"{request.name} asks for no batch")
    data = request.inputs[request.batch.data]
    rows = Rows(store, data, request.batch.format)
    total = sum(
        _put_file(store, f"{prefix}rows-{number:05d}", request, (rows, held), render)
        for number, held in enumerate(rows.objects())
    )
    if not total:
        raise failure(ErrorKind.INVALID_REQUEST, f"{data.uri} holds no rows", ErrorDetail(ref=data.uri))
    return total


def _put_file(
    store: Store, name: str, request: JobRequest, source: tuple[Rows, ObjectStat], render: Render
) -> int:
    rows, held = source
    lines: list[str] = []
    size = count = files = 0

    def flush() -> None:
        nonlocal lines, size, files
        if asked_to_stop():
            raise stop_error()
        uri = f"{name}-{files:05d}.jsonl"
        if lines and store.stat(uri) is None:
            owner = f"{request.run.run_uid}/{request.stage}"
            put_small(store, uri, "".join(lines).encode(), owner=owner, media_type="application/jsonl")
        lines, size, files = [], 0, files + 1

    for row in rows.of(held):
        line = render(row) + "\n"
        lines.append(line)
        count, size = count + 1, size + len(line)
        if size >= FILE_BYTES:
            flush()
    if lines:
        flush()
    return count
