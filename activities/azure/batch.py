"""What a batch is as a command job: the server beside a driver, which posts it the rows.

It is for serverless compute alone, which batch endpoints do not know; `batch_jobs` has all others.
"""

from pathlib import Path

from activities import batch_driver
from activities.azure.script import DRIVER_INPUT, ROWS_INPUT
from activities.batch_rows import put_rows
from activities.model_package import model_inputs
from activities.store import Store, put_small
from contracts.artifacts import Artifact
from contracts.endpoints import PREDICTIONS
from contracts.jobs import JobRequest, PathRef


def planned(store: Store, request: JobRequest) -> JobRequest:
    """Return what the job's machine is to do: the request itself, or of a batch its driver around the server.

    Nothing is written by it: see `put_batch`.
    """
    batch = request.batch
    if batch is None:
        return request
    folder = batch_folder(store, request)
    read = {
        **model_inputs(request),
        ROWS_INPUT: Artifact(uri=f"{folder}rows/", kind="folder", size_bytes=0, object_count=0, digest=""),
        DRIVER_INPUT: Artifact(
            uri=f"{folder}batch_driver.py", kind="file", size_bytes=0, object_count=1, digest=""
        ),
    }
    words = ("python",), (PathRef(role="inputs", name=DRIVER_INPUT),)
    sizes = (str(batch.batch_size),), (str(batch.max_parallel),)
    places = (PathRef(role="inputs", name=ROWS_INPUT),), (PathRef(role="outputs", name=PREDICTIONS),)
    command = (*words, *sizes, *places, *request.command)
    return request.model_copy(update={"inputs": read, "command": command})


def put_batch(store: Store, request: JobRequest) -> None:
    """Put the rows and the driver of a batch where its job finds them; nothing for any other job. Safe to run twice.

    Raises:
        ApplicationError: `INVALID_REQUEST` (no rows, or not of the format), `SOURCE_MISSING`.
        CancelledError: the activity was cancelled.
    """
    if request.batch is None:
        return
    folder, owner = batch_folder(store, request), f"{request.run.run_uid}/{request.stage}"
    put_rows(store, f"{folder}rows/", request)
    driver = Path(batch_driver.__file__).read_bytes()
    put_small(store, f"{folder}batch_driver.py", driver, owner=owner, media_type="text/x-python")


def batch_folder(store: Store, request: JobRequest) -> str:
    """Return the prefix that a batch has for itself; another request of the same name has another one."""
    return f"{store.default_container}{request.kept_below}g{request.generation}/batch/"
