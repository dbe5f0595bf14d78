"""A run ends before its work does, at whatever moment of it: a cancel, an abort, a time-out. Then nothing may be left."""

import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from sandbox.servers.faults import Fault, Faults
from tests.durability.ending_pipelines import COPIES, LIMITS, SERVERS, lay, pipeline
from tests.durability.harm import CREATES
from tests.durability.harm import SERVERS as JOB_SERVERS
from tests.durability.observer import Observer
from tests.durability.unfinished import unfinished
from tests.e2e.runs import Run
from tests.house import PATIENCE_SECONDS, Sandbox, until
from tests.pipelines import CLOUDS, write

ENDS = ("cancel", "abort", "time_out")
JOBS = ("asking", "accepted", "queued", "running", "collecting")
"""`asking`: the create is on its way; `accepted`: the job is there and its answer lost; `queued`: no command runs yet."""
PHASES = (*JOBS, *COPIES, *SERVERS)
ANSWER_SECONDS = 8
"""How long a create is on its way: long enough for a command to come meanwhile."""
ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}
ACTIVITIES = {
    "asking": "jobs.submit",
    "collecting": "jobs.collect",
    "deploying": "endpoints.deploy",
    "invoking": "endpoints.invoke",
}


@dataclass(frozen=True)
class Cell:
    """One way to end at one moment on one cloud."""

    cloud: str
    phase: str
    end: str

    def __str__(self) -> str:
        return f"{self.end}-{self.phase}-{self.cloud}"

    @property
    def stage(self) -> str:
        """The stage that is ended, unlike that of any other cell."""
        return f"{self.phase}_{self.end}_{self.cloud}"

    @property
    def expected(self) -> tuple[set[str], set[str]]:
        """The states in which the run and its stage may end; what was collected meanwhile may count."""
        late = {"SUCCEEDED"} if self.phase == "collecting" else set[str]()
        if self.end == "time_out":
            # The job was over in time, however long its outputs take to be looked at.
            return (late, late) if late else ({"FAILED"}, {"FAILED"})
        return {"CANCELLED"} | late if self.end == "cancel" else {"FAILED"}, {"CANCELLED"} | late

    @property
    def reason(self) -> str | None:
        """The kind of error with which the stage must have failed."""
        if self.end != "time_out" or self.phase == "collecting":
            return None
        return "BUDGET_EXCEEDED" if self.phase in COPIES else "TIMED_OUT"


def cells() -> list[Cell]:
    """The whole matrix."""
    return [Cell(cloud, phase, end) for cloud in CLOUDS for phase in PHASES for end in ENDS]


def play_all(house: Sandbox, folder: Path, chosen: Sequence[Cell]) -> dict[Cell, float | Exception]:
    """Play cells, those of one cloud one after the other and all clouds at once; each comes to seconds or its error."""
    if any(cell.phase in COPIES for cell in chosen):
        lay(house)
    with ThreadPoolExecutor(len(CLOUDS)) as pool:
        of_clouds = [[cell for cell in chosen if cell.cloud == cloud] for cloud in CLOUDS]
        played = pool.map(partial(_play_some, house, folder), of_clouds)
        return {cell: came for found in played for cell, came in found.items()}


def _play_some(house: Sandbox, folder: Path, chosen: Sequence[Cell]) -> dict[Cell, float | Exception]:
    observer = Observer(house)
    try:
        return {cell: _play(house, observer, cell, folder / str(cell)) for cell in chosen}
    finally:
        observer.close()


def _play(house: Sandbox, observer: Observer, cell: Cell, folder: Path) -> float | Exception:
    ending = Ending(house, observer, cell, folder)
    try:
        return ending.play()
    except Exception as error:
        # The run is told of where the sandbox still is.
        error.add_note(f"{cell}\n{ending.told()}")
        return error


class Ending:
    """Plays one cell in a house."""

    def __init__(self, house: Sandbox, observer: Observer, cell: Cell, folder: Path) -> None:
        self.house = house
        self.observer = observer
        self.cell = cell
        self.folder = folder
        self.run: Run | None = None

    def play(self) -> float:
        """End a run at the moment, and hold what is left to the promise; the seconds from there to its end.

        Raises:
            AssertionError: the promise was broken.
        """
        before = unfinished(self.house, self.cell.cloud)
        run = self._begin()
        self._reach(run, before)
        began = time.monotonic()
        self._end(run)
        document = until(partial(_ended, run), f"{run.id} has ended", PATIENCE_SECONDS)
        seconds = time.monotonic() - began
        self._hold(run, document, before)
        return seconds

    def told(self) -> str:
        """The history of the run, for a failure."""
        return self.observer.told(self.run.id) if self.run else "(the run had not started)"

    def _begin(self) -> Run:
        cell = self.cell
        spec, files = pipeline(self.house, cell.cloud, cell.phase, cell.end, cell.stage)
        if cell.cloud in JOB_SERVERS and cell.phase in {"asking", "accepted"}:
            kind = "slow" if cell.phase == "asking" else "drop"
            faults = Faults(self.house.root / "faults" / f"{JOB_SERVERS[cell.cloud]}.json")
            faults.add(Fault(kind, times=1, match=CREATES[cell.cloud], seconds=ANSWER_SECONDS))
        self.run = Run.start(self.house, write(self.folder, spec, files))
        return self.run

    def _reach(self, run: Run, before: set[str]) -> None:
        """Return at the moment, or as near to it as can be seen from outside."""
        cell = self.cell
        if cell.phase in {"accepted", "queued"}:
            until(lambda: self.house.jobs(cell.cloud, cell.stage), "the job is there")
        elif cell.phase == "running":
            run.until_job(cell.stage, "running")
        elif cell.phase in COPIES:
            until(lambda: unfinished(self.house, cell.cloud) - before, "a part is there")
        else:
            self.observer.until_in_flight(run.id, ACTIVITIES[cell.phase], 150)
        if cell.phase == "deploying":
            until(self._processes, "the server runs")

    def _end(self, run: Run) -> None:
        if self.cell.end == "cancel":
            self.house.starter("cancel", run.id, check=True)
        elif self.cell.end == "abort":
            self.house.starter("abort", run.id, "doubt", check=True)
        else:
            with _frozen(self._held_up()):
                time.sleep(LIMITS[self.cell.phase] + 1)

    def _held_up(self) -> list[psutil.Process]:
        """Who must not go on until the time is over, lest the moment pass."""
        cell = self.cell
        if cell.phase == "queued":
            found: list[psutil.Process] = until(self._machines, "the job's machine is there")
            return found
        # Where no server can be slow to answer, the worker is.
        asks_nobody = cell.phase == "asking" and cell.cloud not in JOB_SERVERS
        late = asks_nobody or cell.phase in {"accepted", "collecting"}
        return [self.house.worker(cell.cloud)] if late else []

    def _machines(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._is_machine(process)]

    def _is_machine(self, process: psutil.Process) -> bool:
        """Whether it starts the command of a job of this cell's cloud."""
        try:
            words = process.cmdline()
        except psutil.Error:
            return False
        part = f"{self.house.root}/state/{JOB_SERVERS.get(self.cell.cloud)}/"
        home = f"{self.house.root}/onprem/" if self.cell.cloud == "onprem" else part
        return any(word.endswith(".runner") for word in words) and any(
            word.startswith(home) for word in words
        )

    def _hold(self, run: Run, document: dict[str, Any], before: set[str]) -> None:
        cell = self.cell
        stages = {stage["name"]: stage for stage in document["stages"]}
        own = stages["ask" if cell.phase == "invoking" else cell.stage]
        runs, ends = cell.expected
        assert document["state"] in runs, f"the run is {document['state']}: {document['stages']}"
        assert own["state"] in ends, f"the stage is {own['state']}: {own}"
        assert cell.reason is None or own["error"]["kind"] == cell.reason, own["error"]
        assert own["attempts"] <= 1, f"{own['attempts']} attempts"
        until(lambda: not self._processes(), "no process is left")
        answer = self.house.starter("sweep", "--run", run.id, "--older-than", "1s", "--json", check=True)
        assert answer.document["orphans"] == []
        assert answer.document["left"] == 0
        keys = self.house.jobs(cell.cloud, cell.stage)
        assert len(keys) <= 1, f"the cloud has had {keys}"
        left = unfinished(self.house, cell.cloud) - before
        assert not left, f"unfinished: {left}"
        endpoint = stages[cell.stage].get("endpoint")
        assert endpoint is None or endpoint["retired"], "the endpoint is not told to be retired"

    def _processes(self) -> list[str]:
        return [command for command in self.house.commands() if f"{self.cell.stage}.py" in command]


def _ended(run: Run) -> dict[str, Any] | None:
    document = run.document
    return document if document["state"] in ENDED else None


@contextmanager
def _frozen(processes: Sequence[psutil.Process]) -> Iterator[None]:
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            if process.is_running():
                process.send_signal(signal.SIGCONT)
