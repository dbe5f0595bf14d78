"""Jobs on-prem, batches among them: a batch is a job that runs the server beside a driver, which posts it the rows."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from activities import batch_driver
from activities.batch_rows import put_rows
from activities.choosing import Machines
from activities.job_script import render_script
from activities.model_package import model_inputs
from activities.onprem.job_folder import JobFolder
from activities.onprem.job_notes import Order
from activities.onprem.jobs import ProcessJobs
from activities.onprem.store import FileStore
from contracts.endpoints import PREDICTIONS
from contracts.jobs import BatchOptions, JobRequest

DRIVER = str(Path(batch_driver.__file__).resolve())


class BatchingJobs(ProcessJobs):
    """Processes as jobs; of the kind `batch_predict` the script is another one."""

    def __init__(
        self, store: FileStore, search: str, environment: Mapping[str, str], machine: Machines
    ) -> None:
        super().__init__(store.places, search, environment, machine, store.default_container)
        self._store = store

    def _order(self, folder: JobFolder, request: JobRequest) -> tuple[Order, str]:
        order, script = super()._order(folder, request)
        if request.batch is None:
            return order, script
        # A job that is there already has its rows; another attempt's write the same.
        rows = request.outputs[PREDICTIONS].removesuffix(f"{PREDICTIONS}/") + "rows/"
        if not folder.exists():
            put_rows(self._store, rows, request)
        return order, self._script(folder, request, request.batch, rows)

    def _script(self, folder: JobFolder, request: JobRequest, batch: BatchOptions, rows: str) -> str:
        server = render_script(
            request,
            code=self._input(request.code.uri) if request.code else None,
            inputs={name: self._input(held.uri) for name, held in model_inputs(request).items()},
            outputs={},
            work=str(folder.work),
        )
        written, mark = str(folder.path / "serve.sh"), f"END-{request.digest}"
        predictions = str(folder.path / "outputs" / PREDICTIONS)
        words = [DRIVER, str(batch.batch_size), str(batch.max_parallel), self._input(rows), predictions]
        lines = [
            "#!/bin/sh",
            "set -eu",
            f"cat > {shlex.quote(written)} <<'{mark}'",
            f"{server}{mark}",
            f"mkdir -p {shlex.quote(predictions)}",
            "exec python " + shlex.join([*words, "/bin/sh", written]),
        ]
        return "\n".join(lines) + "\n"
