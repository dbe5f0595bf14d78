"""Scoring rows by an endpoint: bounded requests in flight, shard by shard, none sent again that has an answer.

A shard is a fixed number of rows of one file. Its predictions are stored as one object once all of them are there, so
that another attempt goes on with the first shard that has none.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.endpoint_service import EndpointService
from activities.guard import Translate, translated
from activities.outputs import Collector
from activities.parallel import Stop, for_each
from activities.rows import Row, Rows
from activities.stopping import asked_to_stop, stop_error
from activities.store import Store, put_small
from contracts.artifacts import ObjectStat
from contracts.endpoints import PREDICTIONS, Invoked, InvokeProgress, InvokeRequest
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.parts import PART_BYTES

ROUNDS_PER_SHARD = 8
"""Requests that each of the parallel senders makes for one shard, about."""
PATIENCE_SECONDS = 120.0
"""How long an endpoint may ask to be left alone before the attempt ends; Temporal then begins another."""
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
_WAITED = {ErrorKind.THROTTLED, ErrorKind.UNAVAILABLE}
_JSON_LINES = "application/jsonl"


class Invoker:
    """One artifact's way through one endpoint."""

    def __init__(
        self, service: EndpointService, store: Store, translate: Translate, request: InvokeRequest
    ) -> None:
        self._service = service
        self._store = store
        self._translate = translate
        self._request = request
        self._gate = Gate()
        self._rows = 0
        self._sent = 0

    def told(self) -> InvokeProgress:
        """Return what a heartbeat says."""
        return InvokeProgress(rows=self._rows)

    def run(self) -> Invoked:
        """Score every row; see `endpoints.invoke`."""
        request = self._request
        rows = Rows(self._store, request.data, request.format)
        for number, held in enumerate(rows.objects()):
            self._file(f"{request.target}part-{number:05d}", held, rows)
        if not self._rows:
            told = f"{request.data.uri} holds no rows"
            raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(ref=request.data.uri))
        artifact = Collector(self._store, self._translate, request.stage).artifact(
            PREDICTIONS, request.target
        )
        return Invoked(predictions=artifact, rows=self._rows, requests=self._sent, waits=self._gate.waits)

    def _file(self, name: str, held: ObjectStat, rows: Rows) -> None:
        request = self._request
        size = request.batch_size * request.max_parallel * ROUNDS_PER_SHARD
        for index, shard in enumerate(_groups(rows.of(held), size)):
            if asked_to_stop():
                raise stop_error()
            uri = f"{name}-{index:06d}.jsonl"
            if self._store.stat(uri) is None:
                self._put(uri, self._answers(shard))
            self._rows += len(shard)

    def _answers(self, shard: list[Row]) -> list[Any]:
        batches = list(self._batches(shard))
        answers = for_each(self._send, batches, at_once=self._request.max_parallel)
        self._sent += len(batches)
        return [prediction for answer in answers for prediction in answer]

    def _batches(self, shard: list[Row]) -> Iterator[tuple[int, bytes]]:
        for batch in _groups(iter(shard), self._request.batch_size):
            yield from self._bodies(batch)

    def _bodies(self, batch: list[Row]) -> Iterator[tuple[int, bytes]]:
        body = json.dumps({"instances": batch}, separators=(",", ":")).encode()
        limit = self._service.body_limit_bytes
        if len(body) <= limit:
            yield len(batch), body
        elif len(batch) == 1:
            told = f"a row of stage {self._request.stage} takes {len(body):,} bytes; the endpoint takes {limit:,}"
            raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(ref=self._request.endpoint.name))
        else:
            half = len(batch) // 2
            yield from self._bodies(batch[:half])
            yield from self._bodies(batch[half:])

    def _send(self, batch: tuple[int, bytes], stop: Stop) -> list[Any]:
        rows, body = batch
        name = self._request.endpoint.name
        while True:
            self._gate.passed(stop.check)
            try:
                with translated(self._translate, name):
                    answer = self._service.score(self._request.endpoint, body)
            except ApplicationError as error:
                # Weather of one request among many: were it Temporal's to retry, the others' answers would be lost.
                if error.type not in _WAITED or not self._gate.hold(error):
                    raise
                continue
            self._gate.opened()
            return predictions_of(answer, rows, name)

    def _put(self, uri: str, predictions: list[Any]) -> None:
        content = "".join(json.dumps(prediction) + "\n" for prediction in predictions).encode()
        if len(content) > PART_BYTES:
            told = f"the predictions of {len(predictions)} rows take {len(content):,} bytes; lower batch_size"
            raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(ref=uri))
        owner = f"{self._request.run.run_uid}/{self._request.stage}"
        with translated(self._translate, uri):
            put_small(self._store, uri, content, owner=owner, media_type=_JSON_LINES)


class Gate:
    """Where all senders of an activity wait while the endpoint asks to be left alone."""

    def __init__(self) -> None:
        self.waits = 0
        self._open_at = 0.0
        self._pause = FIRST_WAIT_SECONDS
        self._since: float | None = None
        self._lock = threading.Lock()

    def passed(self, check: Callable[[], None]) -> None:
        """Return when the endpoint may be asked; `check` ends the wait by raising."""
        while True:
            check()
            left = self._open_at - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.2))

    def hold(self, error: ApplicationError) -> bool:
        """Close for as long as the endpoint asks, or ever longer where it names no time; False when patience is over."""
        now = time.monotonic()
        with self._lock:
            self._since = self._since or now
            if now - self._since > PATIENCE_SECONDS:
                return False
            if now < self._open_at:
                # Another sender's request, on its way when the gate closed.
                return True
            asked = error.next_retry_delay
            self._open_at = now + (asked.total_seconds() if asked else self._pause)
            self._pause = min(self._pause * 2, LONGEST_WAIT_SECONDS)
            self.waits += 1
            return True

    def opened(self) -> None:
        """Hear that a request was answered."""
        with self._lock:
            self._pause, self._since = FIRST_WAIT_SECONDS, None


def predictions_of(answer: bytes, rows: int, name: str) -> list[Any]:
    """Read what a server answered.

    Raises:
        ApplicationError: `JOB_FAILED`, it is not one prediction for each row.
    """
    try:
        found = json.loads(answer)
        predictions = found["predictions"]
        right = isinstance(predictions, list) and len(predictions) == rows
    except (ValueError, TypeError, KeyError):
        right = False
    if right:
        return list(predictions)
    told = f'the server of {name} did not answer {rows} rows with {{"predictions": [...]}} of that length'
    shown = answer[:200].decode(errors="replace")
    raise failure(ErrorKind.JOB_FAILED, f"{told}: {shown}", ErrorDetail(ref=name))


def _groups(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    rest = iter(rows)
    while group := list(islice(rest, size)):
        yield group
