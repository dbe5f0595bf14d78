import json
import random
import uuid

import pytest
from temporalio.exceptions import ApplicationError

from activities.gcp import batch_results
from activities.gcp.batch import keyed
from activities.gcp.batch_results import put_in_order
from activities.gcp.hosting_requests import KEY
from activities.gcp.store import GcsStore
from contracts.errors import ErrorKind
from tests.objects import put


def results(store: GcsStore, prefix: str, *files: list[int]) -> str:
    """Put files of predictions, each of which is twice its key."""
    for number, keys in enumerate(files):
        lines = [json.dumps({"key": key, "prediction": {"twice": 2 * key}}) for key in keys]
        name = f"{prefix}prediction.results-{number:05d}-of-{len(files):05d}"
        put(store, name, "".join(f"{line}\n" for line in lines).encode(), replace=True)
    put(store, f"{prefix}prediction.errors_stats-00000-of-00001", b"", replace=True)
    return prefix


def written(store: GcsStore, prefix: str) -> list[object]:
    found = store.list(prefix, None, 100).objects
    content = b"".join(piece for held in found for piece in store.read(held))
    return [json.loads(line) for line in content.splitlines()]


@pytest.fixture
def place() -> str:
    return f"gs://causeway/tests/{uuid.uuid4().hex}/"


def test_predictions_lie_in_the_order_of_the_rows_whatever_order_they_came_in(
    store: GcsStore, place: str
) -> None:
    keys = list(range(batch_results.ROWS_PER_FILE + 50))
    random.Random(7).shuffle(keys)
    source = results(store, f"{place}scored/", keys[::2], keys[1::2])
    assert put_in_order(store, source, f"{place}out/", "run/score") == len(keys)
    assert written(store, f"{place}out/") == [{"twice": 2 * key} for key in sorted(keys)]
    assert len(store.list(f"{place}out/", None, 100).objects) == 2


@pytest.mark.parametrize(
    "keys", [[], [1, 2], [0, 2], [0, 0, 1]], ids=["none", "no first", "a gap", "one twice"]
)
def test_rows_without_exactly_one_prediction_are_told_of(
    store: GcsStore, place: str, keys: list[int]
) -> None:
    source = results(store, f"{place}scored/", keys)
    with pytest.raises(ApplicationError, match="not one prediction for each row") as raised:
        put_in_order(store, source, f"{place}out/", "run/score")
    assert raised.value.type == ErrorKind.JOB_FAILED


def test_each_row_carries_its_number() -> None:
    render = keyed("score")
    assert [json.loads(render({"x": "a"})) for _ in range(2)] == [{"x": "a", KEY: 0}, {"x": "a", KEY: 1}]


@pytest.mark.parametrize("row", [[1, 2], 3.5, {KEY: 1}], ids=["array", "number", "taken"])
def test_a_row_that_cannot_carry_its_number_is_refused(row: object) -> None:
    render = keyed("score")
    render({"x": 1})
    with pytest.raises(ApplicationError, match="row 2 of stage score") as raised:
        render(row)
    assert raised.value.type == ErrorKind.INVALID_REQUEST
