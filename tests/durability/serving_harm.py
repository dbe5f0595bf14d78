"""Kills of workers around servers: while one is deployed, asked, retired, or scores a batch; what came of it is counted.

Servers write down themselves that they started and which rows they scored, so no control plane is asked for that.
"""

import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.durability.observer import Observer
from tests.e2e.runs import Run
from tests.house import PATIENCE_SECONDS, Sandbox, kill, until
from tests.pipelines import write
from tests.serving import HELPER

ROWS = 160
BATCH_SIZE = 5
SHARD = BATCH_SIZE * 8
"""Rows whose predictions an `invoke` stores as one object: what a kill may have scored once more."""
SCRIPT = """
import json, pathlib, sys, time
from serving import serve
model, book, pause = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), float(sys.argv[3])
def note(*words):
    with book.open("a") as file:
        file.write(" ".join(words) + "\\n")
note("started")
time.sleep(1)
factor = json.loads((model / "model.json").read_text())["factor"]
def score(rows):
    time.sleep(pause)
    note("scored", *(row["id"] for row in rows))
    return [{"id": row["id"], "score": factor * float(row["x"])} for row in rows]
serve(score)
"""


@dataclass(frozen=True)
class Moment:
    """What is in flight when the worker dies: an activity, and how long after its begin at most."""

    activity: str
    seconds: float
    serves: bool = True
    """Whether an endpoint is part of it; else a batch is."""


MOMENTS = {
    "deploy": Moment("endpoints.deploy", 2.5),
    "invoke": Moment("endpoints.invoke", 2.0),
    "retire": Moment("endpoints.retire", 0.5),
    "batch_submit": Moment("jobs.submit", 0.5, serves=False),
    "batch_wait": Moment("jobs.wait", 2.0, serves=False),
    "batch_collect": Moment("jobs.collect", 0.1, serves=False),
}


@dataclass(frozen=True)
class Point:
    """One kill."""

    cloud: str
    moment: str
    number: int
    seed: int

    def __str__(self) -> str:
        return f"{self.cloud}-{self.number:02}-{self.moment}"

    @property
    def stage(self) -> str:
        """The stage of the server, unlike that of any other point."""
        return f"k{self.number}_{self.moment}_{self.seed % 16**6:06x}"


@dataclass(frozen=True)
class Served:
    """What came of a kill."""

    point: Point
    servers: int
    """How many ever started."""
    scored: int
    """Rows that servers scored, those scored again too."""
    landed: bool
    """Whether the activity had not ended when its worker had died."""
    recovery_seconds: float | None
    """From the kill until another attempt of the activity began."""
    ending_seconds: float


def points(cloud: str, count: int, seed: int) -> list[Point]:
    """Draw kills: no moment comes twice before each came once."""
    chance = random.Random(f"{seed}/{cloud}/serving")
    drawn: list[str] = []
    while len(drawn) < count:
        drawn += chance.sample(sorted(MOMENTS), len(MOMENTS))
    return [
        Point(cloud, moment, number, chance.randrange(2**31)) for number, moment in enumerate(drawn[:count])
    ]


def play_all(
    house: Sandbox, folder: Path, clouds: Sequence[str], count: int, seed: int
) -> dict[str, list[Served | Exception]]:
    """Play so many kills on each of these clouds, one after the other, and all clouds at once."""
    with ThreadPoolExecutor(len(clouds)) as pool:
        played = {
            cloud: pool.submit(_play_some, house, folder / cloud, points(cloud, count, seed))
            for cloud in clouds
        }
        return {cloud: future.result() for cloud, future in played.items()}


def _play_some(house: Sandbox, folder: Path, drawn: list[Point]) -> list[Served | Exception]:
    observer = Observer(house)
    try:
        return [_play(house, observer, point, folder / str(point)) for point in drawn]
    finally:
        observer.close()


def _play(house: Sandbox, observer: Observer, point: Point, folder: Path) -> Served | Exception:
    round_of = Kill(house, observer, point, folder)
    try:
        return round_of.play()
    except Exception as error:
        # The run is told of where the sandbox still is.
        error.add_note(f"{point}\n{round_of.told()}")
        return error


class Kill:
    """Plays one point in a house."""

    def __init__(self, house: Sandbox, observer: Observer, point: Point, folder: Path) -> None:
        self.house = house
        self.observer = observer
        self.point = point
        self.moment = MOMENTS[point.moment]
        self.folder = folder
        self.book = folder / "book"
        self.script = f"{point.stage}.py"
        self.chance = random.Random(point.seed)
        self.run: Run | None = None

    def play(self) -> Served:
        """Kill the worker at the point, see the run succeed, and hold what is left to the promises.

        Raises:
            AssertionError: one of them was broken.
        """
        run = self.run = Run.start(self.house, self._pipeline())
        self.observer.until_in_flight(run.id, self.moment.activity, 120)
        time.sleep(self.chance.uniform(0, self.moment.seconds))
        died, when = time.monotonic(), datetime.now(UTC)
        kill(self.house.worker(self.point.cloud))
        landed = self.observer.interrupted(run.id, self.moment.activity)
        document = run.until("SUCCEEDED", PATIENCE_SECONDS)
        ending = time.monotonic() - died
        self._hold(run, document)
        recovery = self.observer.taken_up(run.id, self.moment.activity, when) if landed else None
        return Served(self.point, self._noted("started"), self._scored(), landed, recovery, ending)

    def told(self) -> str:
        """The history of the run, for a failure."""
        return self.observer.told(self.run.id) if self.run else "(the run had not started)"

    def _pipeline(self) -> Path:
        cloud, stage = self.point.cloud, self.point.stage
        source = self.house.root / "onprem" / "serving" / stage
        (source / "model").mkdir(parents=True)
        (source / "rows").mkdir()
        (source / "model" / "model.json").write_text('{"factor": 3}')
        lines = (f"{number},{number / 2}\n" for number in range(ROWS))
        (source / "rows" / "rows.csv").write_text("id,x\n" + "".join(lines))
        brought = {
            name: {"kind": "copy", "on": cloud, "source": f"file:///serving/{stage}/{name}/"}
            for name in ("model", "rows")
        }
        scored, serving = self._serving()
        home = {"home": {"kind": "copy", "on": "onprem", "inputs": {"data": f"{scored}.predictions"}}}
        spec = {
            "pipeline": f"kill-{cloud}",
            "defaults": {"timeout": "5m"},
            "stages": {**brought, **serving, **home},
        }
        return write(self.folder, spec, {f"src/{self.script}": SCRIPT, "src/serving.py": HELPER})

    def _serving(self) -> tuple[str, dict[str, Any]]:
        """The stage that scores, and all stages around the server."""
        pause = 0.1 if self.moment.serves else 1
        server = {
            "on": self.point.cloud,
            "code": "src",
            "command": f"python {self.script} {{inputs.model}} {self.book} {pause}",
            "inputs": {"model": "model"},
        }
        if not self.moment.serves:
            batch = {"kind": "batch_predict", **server, "inputs": {"model": "model", "data": "rows"}}
            return self.point.stage, {self.point.stage: batch}
        ask = {"kind": "invoke", "on": self.point.cloud, "endpoint": self.point.stage}
        ask |= {"inputs": {"data": "rows"}, "batch_size": BATCH_SIZE, "max_parallel": 1}
        return "ask", {self.point.stage: {"kind": "deploy", **server}, "ask": ask}

    def _hold(self, run: Run, document: dict[str, Any]) -> None:
        stages = {stage["name"]: stage for stage in document["stages"]}
        home = self.house.root / "onprem" / stages["home"]["outputs"]["data"]["uri"].removeprefix("file:///")
        files = [path for path in sorted(home.rglob("*")) if path.is_file()]
        lines = [line for path in files for line in path.read_text().splitlines()]
        found, wanted = [json.loads(line) for line in lines], [_scored(number) for number in range(ROWS)]
        assert found == wanted, (
            f"{len(found)} predictions in {[path.name for path in files]}: {found[:3]} ..."
        )
        assert stages[self.point.stage]["attempts"] == 1, f"{stages[self.point.stage]['attempts']} attempts"
        assert self._noted("started") == 1, f"{self._noted('started')} servers started"
        # Nothing but an interrupted invoke may have asked twice, and no more than what it had not stored yet.
        asked = self.observer.attempts(run.id, "endpoints.invoke")
        again = SHARD if any(attempt > 1 for attempt, _ in asked) else 0
        assert ROWS <= self._scored() <= ROWS + again, f"{self._scored()} rows scored, of {ROWS}"
        if self.moment.serves:
            assert stages[self.point.stage]["endpoint"]["retired"], "the endpoint is not told to be retired"
        until(lambda: not self._processes(), "no process of the server is left")
        answer = self.house.starter("sweep", "--run", run.id, "--older-than", "1s", "--json", check=True)
        assert answer.document["left"] == 0, f"a sweep finds {answer.document['orphans']}"

    def _processes(self) -> list[str]:
        return [command for command in self.house.commands() if self.script in command]

    def _scored(self) -> int:
        return sum(len(words) - 1 for words in self._words() if words[0] == "scored")

    def _noted(self, word: str) -> int:
        return sum(words[0] == word for words in self._words())

    def _words(self) -> list[list[str]]:
        return [line.split() for line in self.book.read_text().splitlines()]


def _scored(number: int) -> dict[str, Any]:
    return {"id": str(number), "score": number * 1.5}
