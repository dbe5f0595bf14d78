"""Rows on their way through an endpoint: bounded, in order, patient when told to wait, resumed by shard."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.endpoint_service import Marked
from activities.invoking import Invoker
from activities.onprem.errors import translate
from activities.onprem.store import FileStore
from contracts.artifacts import Artifact
from contracts.endpoints import EndpointRef, EndpointState, InvokeRequest
from contracts.errors import ErrorKind, failure
from contracts.jobs import JobRequest, RunRef
from tests.objects import put

TARGET = "file:///causeway/predictions/"


class Echo:
    """An endpoint that answers with what it was sent, unless it is told otherwise."""

    first_poll_seconds = 0.01

    def __init__(
        self, answer: Callable[[int, list[Any]], list[Any]] | None = None, limit: int = 10_000
    ) -> None:
        self.body_limit_bytes = limit
        self.sizes: list[int] = []
        self.at_once = self.most_at_once = 0
        self._answer = answer or (lambda _, rows: rows)
        self._lock = threading.Lock()

    def score(self, ref: EndpointRef, body: bytes) -> bytes:
        rows = json.loads(body)["instances"]
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            turn = len(self.sizes)
            self.sizes.append(len(rows))
        try:
            return json.dumps({"predictions": self._answer(turn, rows)}).encode()
        finally:
            with self._lock:
                self.at_once -= 1

    def create(self, request: JobRequest) -> EndpointRef:
        raise NotImplementedError

    def describe(self, ref: EndpointRef) -> EndpointState:
        raise NotImplementedError

    def keep(self, ref: EndpointRef) -> None:
        raise NotImplementedError

    def remove(self, ref: EndpointRef) -> None:
        raise NotImplementedError

    def find(self, run_uid: str, stage: str | None) -> list[EndpointState]:
        raise NotImplementedError

    def marked(self) -> Iterator[Marked]:
        raise NotImplementedError

    def last_lines(self, ref: EndpointRef, tail: int) -> tuple[str, ...]:
        raise NotImplementedError


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    (tmp_path / "causeway").mkdir()
    return FileStore(tmp_path, "file:///causeway/")


def rows(store: FileStore, content: str, name: str = "rows.csv") -> Artifact:
    uri = f"file:///causeway/rows/{name}"
    put(store, uri, content.encode(), replace=True)
    return Artifact(uri=uri, kind="file", size_bytes=len(content), object_count=1, digest="d")


def numbers(count: int) -> str:
    return "n\n" + "".join(f"{number}\n" for number in range(count))


def invoker(store: FileStore, echo: Echo, data: Artifact, **more: Any) -> Invoker:
    request = InvokeRequest(
        run=RunRef(pipeline="p", key="k", run_uid="0" * 32),
        stage="ask",
        generation=1,
        endpoint=EndpointRef(id="e", name="e"),
        data=data,
        batch_size=3,
        max_parallel=2,
        target=TARGET,
    )
    return Invoker(echo, store, translate, request.model_copy(update=more))


def left(store: FileStore) -> list[Any]:
    held = store.list(TARGET, None, 1000).objects
    return [json.loads(line) for item in held for line in b"".join(store.read(item)).decode().splitlines()]


def test_rows_go_in_bounded_batches_and_come_back_in_their_order(store: FileStore) -> None:
    echo = Echo()
    answer = invoker(store, echo, rows(store, numbers(100))).run()
    assert left(store) == [{"n": str(number)} for number in range(100)]
    assert (answer.rows, answer.requests, sum(echo.sizes), max(echo.sizes)) == (100, 34, 100, 3)
    assert echo.most_at_once <= 2


def test_what_has_its_predictions_is_not_sent_again(store: FileStore) -> None:
    def breaks(turn: int, held: list[Any]) -> list[Any]:
        if turn >= 20:
            raise failure(ErrorKind.JOB_FAILED, "it broke")
        return held

    data = rows(store, numbers(100))
    with pytest.raises(ApplicationError, match="it broke"):
        invoker(store, Echo(breaks), data).run()
    kept = len(left(store))
    assert kept == 48, "one shard of sixteen batches"
    echo = Echo()
    answer = invoker(store, echo, data).run()
    assert (sum(echo.sizes), answer.rows) == (100 - kept, 100)
    assert left(store) == [{"n": str(number)} for number in range(100)]


def test_an_endpoint_that_asks_to_wait_is_waited_for_by_all(store: FileStore) -> None:
    def busy(turn: int, held: list[Any]) -> list[Any]:
        if turn % 5 == 0:
            raise failure(ErrorKind.THROTTLED, "busy", retry_after=timedelta(milliseconds=50))
        return held

    echo = Echo(busy)
    answer = invoker(store, echo, rows(store, numbers(30))).run()
    assert answer.waits >= 2
    assert left(store) == [{"n": str(number)} for number in range(30)]


def test_a_request_that_is_too_large_is_halved_and_a_row_that_is_too_large_is_refused(
    store: FileStore,
) -> None:
    echo = Echo(limit=40)
    invoker(store, echo, rows(store, numbers(6))).run()
    assert set(echo.sizes) <= {1, 2}
    assert sum(echo.sizes) == 6
    with pytest.raises(ApplicationError, match="a row of stage ask takes") as raised:
        invoker(store, Echo(limit=40), rows(store, "n\n" + "9" * 50 + "\n"), target=f"{TARGET}b/").run()
    assert raised.value.type == "INVALID_REQUEST"


@pytest.mark.parametrize(
    ("content", "form", "words"),
    [
        pytest.param("a,b\n1,2\n3\n", "csv", "follows row 1 .* 1 cells under 2 names", id="ragged"),
        pytest.param("a,a\n1,2\n", "csv", "occurs twice", id="same names"),
        pytest.param("a\n", "csv", "holds no rows", id="header alone"),
        pytest.param('{"a": 1}\n{oops\n', "jsonl", "follows row 1 is not jsonl", id="no JSON"),
    ],
)
def test_data_that_are_no_rows_are_refused_with_the_place(
    store: FileStore, content: str, form: str, words: str
) -> None:
    with pytest.raises(ApplicationError, match=words) as raised:
        invoker(store, Echo(), rows(store, content), format=form).run()
    assert raised.value.type == "INVALID_REQUEST"


def test_json_lines_keep_their_types(store: FileStore) -> None:
    invoker(store, Echo(), rows(store, '{"x": 1.5}\n\n[1, null]\n'), format="jsonl").run()
    assert left(store) == [{"x": 1.5}, [1, None]]


def test_an_answer_of_another_length_is_refused(store: FileStore) -> None:
    with pytest.raises(ApplicationError, match="did not answer 3 rows") as raised:
        invoker(store, Echo(lambda _, held: held[1:]), rows(store, numbers(3))).run()
    assert raised.value.type == "JOB_FAILED"
