import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from activities.gcp import room
from activities.gcp.batch import BatchPredictionJobs
from activities.gcp.identity import credentials
from activities.gcp.settings import GcpSettings
from activities.gcp.store import GcsStore
from contracts.endpoints import PREDICTIONS
from contracts.errors import ErrorKind
from contracts.jobs import BatchOptions, JobPhase, JobRef, JobRequest
from tests.activities.gcp.test_jobs import request_of
from tests.house import until
from tests.serving import HELPER, put_code, put_folder

SLOW = """
import time
from serving import serve
print("ready to be slow", flush=True)
serve(lambda rows: time.sleep(600))
"""


@pytest.fixture
def batches(settings: GcpSettings) -> BatchPredictionJobs:
    return room.batches(settings, credentials())


@pytest.fixture
def slow(store: GcsStore) -> JobRequest:
    """Rows for a server that answers none of them."""
    assert "def serve" in HELPER
    request = request_of("python", "server.py", stage="score")
    prefix = f"{store.default_container}runs/{request.run.run_uid}/"
    return request.model_copy(
        update={
            "kind": "batch_predict",
            "outputs": {PREDICTIONS: f"{prefix}score/g1/{PREDICTIONS}/"},
            "code": put_code(store, f"{prefix}code/", SLOW),
            "inputs": {"data": put_folder(store, f"{prefix}rows/", {"a.csv": b"x\n1\n2\n"})},
            "batch": BatchOptions(data="data"),
        }
    )


def test_batches_asked_for_at_once_are_one_and_a_stop_leaves_no_model(
    batches: BatchPredictionJobs, settings: GcpSettings, slow: JobRequest
) -> None:
    barrier = threading.Barrier(3)

    def submit(_: Any) -> JobRef:
        barrier.wait()
        return batches.submit(slow)

    with ThreadPoolExecutor(3) as threads:
        refs = list(threads.map(submit, range(3)))
    assert len({ref.id for ref in refs}) == 1
    assert sum(not ref.adopted for ref in refs) == 1
    ref = refs[0]
    assert [state.ref.id for state in batches.find(slow.run.run_uid, "score")] == [ref.id]
    until(lambda: "ready to be slow" in batches.logs(ref, 5, None).lines, "its server runs")
    batches.stop(ref)
    until(lambda: batches.describe(ref).phase.terminal, "it has ended")
    state = batches.describe(ref)
    assert (state.phase, state.reason) == (JobPhase.STOPPED, ErrorKind.CANCELLED)
    assert room.endpoints(settings).find(slow.run.run_uid, None) == []
    assert batches.named(slow) is not None
