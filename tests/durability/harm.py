"""One job whatever happens: a run is harmed while it submits, waits or collects, and the cloud's own records are counted."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from sandbox.servers.faults import Fault, Faults
from tests.durability.observer import Observer
from tests.e2e.runs import Run
from tests.house import CHECKOUT, PATIENCE_SECONDS, Sandbox, kill, until
from tests.pipelines import CLOUDS, write

SERVERS = {"aws": "sagemaker", "azure": "azure", "gcp": "vertex"}
CREATES = {"aws": "CreateTrainingJob", "azure": "Jobs.CreateOrUpdate", "gcp": "CreateCustomJob"}
DESCRIBES = {"aws": "DescribeTrainingJob", "azure": "Jobs.Get", "gcp": "GetCustomJob"}
PHASES = ("submit", "wait", "collect")
HARMS = ("kill", "drop", "twice")
"""`kill`: the worker dies of SIGKILL. `drop`: the server does as it is asked and its answer is thrown away. `twice`: the
worker is frozen until Temporal has given the activity to another one, and goes on at the same time as that."""
FILES = 24
SCRIPT = f"""
import pathlib, sys, time
out, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
for number in range({FILES}):
    (out / f"{{number:02}}.bin").write_bytes(bytes([number]) * 65536)
deadline = time.monotonic() + seconds
while time.monotonic() < deadline:
    print("tick", flush=True)
    time.sleep(0.2)
"""


@dataclass(frozen=True)
class Point:
    """Where a run is harmed, and how; with a seed for what is left to chance."""

    cloud: str
    phase: str
    harm: str
    number: int
    seed: int

    def __str__(self) -> str:
        return f"{self.cloud}-{self.number:02}-{self.phase}-{self.harm}"

    @property
    def stage(self) -> str:
        """The stage's name, unlike that of any other point or run of the tests."""
        return f"h{self.number}_{self.phase}_{self.harm}_{self.seed % 16**6:06x}"


@dataclass(frozen=True)
class Count:
    """What came of a point."""

    point: Point
    jobs: int
    """Ever, by the records of the cloud's own server."""
    attempts: int
    landed: bool
    """Whether the activity had not ended when it was harmed."""
    seconds: float
    recovery_seconds: float | None
    """From the harm until another attempt of the activity began; none where the first went on."""
    ending_seconds: float
    """From the harm until the run had succeeded."""


def points(cloud: str, count: int, seed: int) -> list[Point]:
    """Draw points: of any three in a row each harm and each phase comes once."""
    chance = random.Random(f"{seed}/{cloud}")
    drawn: list[tuple[str, str]] = []
    while len(drawn) < count:
        drawn += zip(chance.sample(PHASES, 3), chance.sample(HARMS, 3), strict=True)
    return [
        Point(cloud, phase, harm, number, chance.randrange(2**31))
        for number, (phase, harm) in enumerate(drawn[:count])
    ]


def play_all(house: Sandbox, folder: Path, count: int, seed: int) -> dict[str, list[Count | Exception]]:
    """Play so many points of each cloud, one after the other, and all clouds at once."""
    with ThreadPoolExecutor(len(CLOUDS)) as pool:
        played = {
            cloud: pool.submit(_play_some, house, folder / cloud, points(cloud, count, seed))
            for cloud in CLOUDS
        }
        return {cloud: future.result() for cloud, future in played.items()}


def _play_some(house: Sandbox, folder: Path, drawn: list[Point]) -> list[Count | Exception]:
    observer = Observer(house)
    try:
        return [_play(house, observer, point, folder / str(point)) for point in drawn]
    finally:
        observer.close()


def _play(house: Sandbox, observer: Observer, point: Point, folder: Path) -> Count | Exception:
    try:
        return Harm(house, observer, point, folder).play()
    except Exception as error:
        return error


class Harm:
    """Plays one point in a house."""

    def __init__(self, house: Sandbox, observer: Observer, point: Point, folder: Path) -> None:
        self.house = house
        self.observer = observer
        self.point = point
        self.folder = folder
        self.chance = random.Random(point.seed)
        self.began = time.monotonic()

    def play(self) -> Count:
        """Harm the run, see it succeed, and count its jobs."""
        self._arm()
        run = Run.start(self.house, self._pipeline())
        self._await_phase(run)
        harmed, when = time.monotonic(), datetime.now(UTC)
        with self._harmed(run):
            landed = self.observer.interrupted(run.id, f"jobs.{self.point.phase}")
            document = run.until("SUCCEEDED", PATIENCE_SECONDS)
        (stage,) = document["stages"]
        ended = time.monotonic()
        return Count(
            self.point,
            len(self.house.jobs(self.point.cloud, self.point.stage)),
            stage["attempts"],
            landed,
            ended - self.began,
            self.observer.taken_up(run.id, f"jobs.{self.point.phase}", when),
            ended - harmed,
        )

    def _pipeline(self) -> Path:
        seconds = 3 if self.point.phase == "wait" else 0.5
        job = {
            "kind": "train",
            "on": self.point.cloud,
            "code": "src",
            "command": f"python harm.py {{outputs.result}} {seconds}",
            "outputs": ["result"],
            "timeout": "5m",
        }
        spec = {"pipeline": f"harm-{self.point.cloud}", "stages": {self.point.stage: job}}
        return write(self.folder, spec, {"src/harm.py": SCRIPT})

    def _arm(self) -> None:
        """Have the create take long enough to be harmed, or its answer lost."""
        if self.point.phase == "submit" and self.point.cloud in SERVERS:
            kind = "drop" if self.point.harm == "drop" else "slow"
            self._fault(Fault(kind, times=1, match=CREATES[self.point.cloud], seconds=3))

    def _await_phase(self, run: Run) -> None:
        point = self.point
        if point.phase == "submit" and point.cloud not in SERVERS and point.harm == "drop":
            # Its job exists and nobody has been told: what a lost answer is where no server answers.
            until(lambda: self.house.jobs(point.cloud, point.stage), "the job is there")
            return
        self.observer.until_in_flight(run.id, f"jobs.{point.phase}", 60)
        if point.phase == "submit" and point.cloud in SERVERS and point.harm != "drop":
            time.sleep(self.chance.uniform(0.2, 2.5))
        if point.phase == "wait":
            time.sleep(self.chance.uniform(0, 2))

    @contextmanager
    def _harmed(self, run: Run) -> Iterator[None]:
        point = self.point
        if point.harm == "twice":
            with self._twice(run):
                yield
            return
        if point.harm == "kill" or point.cloud not in SERVERS:
            kill(self.house.worker(point.cloud))
        elif point.phase != "submit":
            self._fault(Fault("drop", times=2, match=DESCRIBES[point.cloud]))
        yield

    @contextmanager
    def _twice(self, run: Run) -> Iterator[None]:
        """Freeze the worker, have another one take up its activity, and let both go on."""
        frozen = self.house.worker(self.point.cloud)
        frozen.send_signal(signal.SIGSTOP)
        second = self._second_worker()
        try:
            until(lambda: self.observer.passed_on(run.id), "the activity is with another worker")
            frozen.send_signal(signal.SIGCONT)
            yield
        finally:
            if frozen.is_running() and frozen.status() == psutil.STATUS_STOPPED:
                frozen.send_signal(signal.SIGCONT)
            second.terminate()
            second.wait(PATIENCE_SECONDS)

    def _second_worker(self) -> subprocess.Popen[bytes]:
        environment = {**self.house.variables, **self.house.environment(self.point.cloud)}
        with (self.folder / "second-worker.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "workers", self.point.cloud],
                cwd=CHECKOUT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _fault(self, fault: Fault) -> None:
        Faults(self.house.root / "faults" / f"{SERVERS[self.point.cloud]}.json").add(fault)


def seed_of_tests() -> int:
    """The seed of `make durability`; another one with each run unless `CAUSEWAY_SEED` repeats one."""
    return int(os.environ.get("CAUSEWAY_SEED") or time.time())


def failed(found: Count | Exception) -> Any:
    """Whatever is wrong with what came of a point; nothing when all is well."""
    if isinstance(found, Exception):
        return repr(found)
    return None if (found.jobs, found.attempts) == (1, 1) else found
