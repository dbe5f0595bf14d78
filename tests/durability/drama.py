"""One round: a pipeline on its way to a moment, a death, and what must hold afterwards."""

import hashlib
import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.artifacts import ManifestEntry, folder_digest
from sandbox.servers.faults import Faults
from tests.durability.figures import Round
from tests.durability.matrix import JOB_SERVERS, Cell, Draw
from tests.durability.observer import Observer
from tests.e2e.runs import Run
from tests.house import PATIENCE_SECONDS, Sandbox, kill, until
from tests.pipelines import write

MIB = 1024 * 1024
FILES = 24
FILE_BYTES = 64 * 1024
CREATES = {"aws": "CreateTrainingJob", "azure": "Jobs.CreateOrUpdate", "gcp": "CreateCustomJob"}
NEXT = {"aws": "azure", "azure": "gcp", "gcp": "aws", "onprem": "aws"}
SCRIPT = f"""
import pathlib, signal, sys, time

def leave(*_):
    time.sleep(2)
    sys.exit(1)

signal.signal(signal.SIGTERM, leave)
out, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
for number in range({FILES}):
    (out / f"{{number:02}}.bin").write_bytes(bytes([number]) * {FILE_BYTES})
deadline = time.monotonic() + seconds
while time.monotonic() < deadline:
    print("tick", flush=True)
    time.sleep(0.2)
"""


class Drama:
    """Plays one drawn cell in a house."""

    def __init__(self, house: Sandbox, observer: Observer, draw: Draw, folder: Path) -> None:
        self.house = house
        self.observer = observer
        self.cell: Cell = draw.cell
        self.chance = draw.chance
        self.folder = folder
        self.stage = f"s{draw.number:03}_{self.chance.randrange(16**6):06x}"
        self.script = f"{self.stage}.py"
        self.run: Run | None = None

    def play(self) -> Round:
        """Kill at the moment, bring back what died, and hold the run to its promises.

        Raises:
            AssertionError: one of them was broken.
        """
        self._prepare()
        self.run = Run.start(self.house, self._pipeline())
        self._await_moment()
        died, when = time.monotonic(), datetime.now(UTC)
        self._kill()
        landed = self._back_up()
        back = time.monotonic() - died if self.cell.victim in {"workflows", "temporal"} else None
        document = self.run.until(self._end, PATIENCE_SECONDS)
        ending = time.monotonic() - died
        self._hold(document)
        taken_up = self._taken_up(when) if landed and self.cell.victim in {"worker", "server"} else back
        return Round(self.cell, landed, taken_up, ending)

    def told(self) -> str:
        """The histories of the run and its transfers, for a failure."""
        if self.run is None:
            return "(the run had not started)"
        return "\n".join(map(self.observer.told, [self.run.id, *self.observer.children(self.run.id)]))

    @property
    def _end(self) -> str:
        return "CANCELLED" if self.cell.moment == "cancel" else "SUCCEEDED"

    @property
    def _workflow(self) -> str:
        """The workflow that the moment's activity belongs to."""
        assert self.run is not None
        if not self.cell.moves:
            return self.run.id
        stages = json.loads((self.folder / "pipeline.yaml").read_text())["stages"]
        return f"{self.run.id}/transfer/{self.stage}.data-to-{stages[self.stage]['on']}.default"

    def _prepare(self) -> None:
        self.house.sandbox("up", "--workers")
        for server in JOB_SERVERS.values():
            self.house.sandbox("fault", server, "clear")
        if self.cell.moment not in {"asking", "accepted"} or self.cell.cloud not in JOB_SERVERS:
            return
        fault = (
            ("slow", "--delay", "3", "--times", "1")
            if self.cell.moment == "asking"
            else ("drop", "--times", "1")
        )
        self.house.sandbox("fault", self.cell.server, *fault, "--match", CREATES[self.cell.cloud])

    def _pipeline(self) -> Path:
        spec = {"pipeline": f"drama-{self.cell.cloud}", "stages": self._stages()}
        return write(self.folder, spec, {f"src/{self.script}": SCRIPT, **_ballast()})

    def _stages(self) -> dict[str, Any]:
        if self.cell.moves:
            return self._journey()
        seconds = {"cancel": 120, "wait": 4}.get(self.cell.moment, 1)
        job = {
            "kind": "train",
            "on": self.cell.cloud,
            "code": "src",
            "command": f"python {self.script} {{outputs.result}} {seconds}",
            "outputs": ["result"],
            "timeout": "5m",
        }
        return {self.stage: job} | self._home(f"{self.stage}.result")

    def _journey(self) -> dict[str, Any]:
        """The moment's transfer, what must lie there before it, and the way home."""
        source, target = self._ends()
        first = "seed" if source != "onprem" else self.stage
        stages: dict[str, Any] = {first: {"kind": "copy", "on": target, "source": self._source()}}
        if source != "onprem":
            stages["seed"]["on"] = source
            stages[self.stage] = {"kind": "copy", "on": target, "inputs": {"data": "seed"}}
        return stages | self._home(self.stage)

    def _ends(self) -> tuple[str, str]:
        cloud = self.cell.cloud
        if self.cell.moment == "push":
            return "onprem", self.chance.choice(sorted(CREATES))
        if self.cell.moment in {"grant_write", "commit"}:
            return "onprem", cloud
        if self.cell.moment == "grant_read":
            return cloud, NEXT[cloud]
        return NEXT[cloud], cloud

    def _home(self, artifact: str) -> dict[str, Any]:
        return {"home": {"kind": "copy", "on": "onprem", "inputs": {"data": artifact}}}

    def _source(self) -> str:
        """A folder with many small objects and one of several parts; its content is drawn too."""
        folder = self.house.root / "onprem" / "drama" / self.stage
        folder.mkdir(parents=True)
        for number in range(FILES):
            (folder / f"{number:02}.bin").write_bytes(self.chance.randbytes(FILE_BYTES))
        large = 4 if self.cell.moment.startswith("grant") else 48
        (folder / "large.bin").write_bytes(self.chance.randbytes(large * MIB))
        return f"file:///drama/{self.stage}/"

    def _await_moment(self) -> None:
        cell = self.cell
        assert self.run is not None
        if cell.moment == "cancel":
            self.run.until_job(self.stage, "running")
            self.house.starter("cancel", self.run.id, check=True)
        if cell.moment == "accepted":
            until(lambda: self.house.jobs(cell.cloud, self.stage), "the job is there")
            return
        if cell.moment == "wait":
            self.run.until_job(self.stage, "running")
        if cell.moment == "asking" and cell.cloud in JOB_SERVERS:
            faults = Faults(self.house.root / "faults" / f"{cell.server}.json")
            until(lambda: not faults.active(), "the create is on its way")
            time.sleep(self.chance.uniform(0, 2))
            return
        self.observer.until_in_flight(self._workflow, cell.activity, 60)
        if cell.activity in {"storage.copy", "storage.push", "jobs.wait"}:
            time.sleep(self.chance.uniform(0, 0.4))

    def _kill(self) -> None:
        victim = self.cell.victim
        if victim == "server" and self.cell.server == "blob":
            # Its emulator would lose what it acknowledged in the last 5 s, which no real store does.
            self.house.sandbox("fault", "blob", "away", "--seconds", "1")
        elif victim == "server":
            kill(self.house.server(self.cell.server))
        elif victim == "temporal":
            kill(self.house.server("temporal"))
        else:
            kill(self.house.worker(self.cell.cloud if victim == "worker" else "workflows"))

    def _back_up(self) -> bool:
        assert self.run is not None
        if self.cell.victim == "temporal":
            self.house.sandbox("up", "--only", "temporal")
        landed = self.observer.interrupted(self._workflow, self.cell.activity)
        if self.cell.victim == "server":
            self.house.sandbox("up")
        if self.cell.victim in {"workflows", "temporal"}:
            self.observer.until_answers(self.run.id, 60)
        return landed

    def _taken_up(self, died: datetime) -> float | None:
        """Seconds until the attempt that finished what was interrupted; none when the first went on by itself."""
        return self.observer.taken_up(self._workflow, self.cell.activity, died)

    def _hold(self, document: dict[str, Any]) -> None:
        stages = {stage["name"]: stage for stage in document["stages"]}
        until(lambda: not self._processes(), "no process of the job is left")
        if not self.cell.moves:
            keys = self.house.jobs(self.cell.cloud, self.stage)
            assert len(keys) == 1, f"the cloud has had {keys}"
            assert stages[self.stage]["attempts"] == 1
        if self._end == "CANCELLED":
            return
        own = next(iter(stages[self.stage]["outputs"].values()))
        home = stages["home"]["outputs"]["data"]
        digest = _digest_of(self.house.root / "onprem" / home["uri"].removeprefix("file:///"))
        assert own["digest"] == home["digest"] == digest == self._expected()

    def _processes(self) -> list[str]:
        return [command for command in self.house.commands() if self.script in command]

    def _expected(self) -> str:
        if self.cell.moves:
            folder = self.house.root / "onprem" / "drama" / self.stage
            digest = _digest_of(folder)
            shutil.rmtree(folder)
            return digest
        contents = {f"{number:02}.bin": bytes([number]) * FILE_BYTES for number in range(FILES)}
        return folder_digest(_entry(name, content) for name, content in contents.items())


def _ballast() -> dict[str, str]:
    """Files that make publishing the code take long enough to die in."""
    return {f"src/words/{number:02}.txt": f"{number}\n" * 500 for number in range(40)}


def _digest_of(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return folder_digest(_entry(path.relative_to(folder).as_posix(), path.read_bytes()) for path in files)


def _entry(name: str, content: bytes) -> ManifestEntry:
    return ManifestEntry(name=name, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
