"""What keeps the house busy: small pipelines and copies, several at once, drawn by a seed."""

import random
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.durability.drama import NEXT
from tests.house import Sandbox
from tests.pipelines import CLOUDS, SLEEPER, write

MIB = 1024 * 1024
ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}


@dataclass
class Load:
    """Runs that were started, and how they ended."""

    house: Sandbox
    folder: Path
    chance: random.Random
    open: set[str] = field(default_factory=set)
    ended: dict[str, str] = field(default_factory=dict)
    started: int = 0

    def prepare(self) -> None:
        """Lay out what copies read: 20 small objects and one of several parts."""
        source = self.house.root / "onprem" / "soak"
        source.mkdir(parents=True)
        for number in range(20):
            (source / f"{number:02}.bin").write_bytes(self.chance.randbytes(32 * 1024))
        (source / "large.bin").write_bytes(self.chance.randbytes(40 * MIB))

    def start(self) -> None:
        """Begin one more run: every third is a copy alone."""
        self.started += 1
        cloud = CLOUDS[self.started % len(CLOUDS)]
        if self.started % 3 == 0:
            spec = {
                "pipeline": "soak-copy",
                "stages": {
                    "there": {"kind": "copy", "on": NEXT[cloud], "source": "file:///soak/"},
                    "back": {"kind": "copy", "on": "onprem", "inputs": {"data": "there"}},
                },
            }
            file = write(self.folder, spec)
        else:
            file = write(self.folder, self._jobs(cloud), {"src/sleep.py": SLEEPER})
        key = uuid.UUID(int=self.chance.getrandbits(128)).hex[:12]
        self.house.starter("run", str(file), "--detach", "--key", key, check=True)
        self.open.add(key)

    def look(self) -> None:
        """Take down which of the open runs have ended; Temporal may be asked for a moment in vain."""
        answer = self.house.starter("list", "--limit", "50", "--json")
        if answer.code:
            return
        for run in answer.document["runs"]:
            if run["key"] in self.open and run["state"] in ENDED:
                self.open.remove(run["key"])
                self.ended[run["key"]] = run["state"]

    def _jobs(self, cloud: str) -> dict[str, object]:
        second = NEXT[cloud]
        words = "python sleep.py --seconds {} --out {{outputs.o}}"
        return {
            "pipeline": "soak-jobs",
            "stages": {
                "first": {
                    "kind": "train",
                    "on": cloud,
                    "code": "src",
                    "command": words.format(self.chance.choice([1, 2, 5])),
                    "outputs": ["o"],
                    "timeout": "10m",
                },
                "second": {
                    "kind": "process",
                    "on": second,
                    "code": "src",
                    "command": words.format(1),
                    "inputs": {"before": "first.o"},
                    "outputs": ["o"],
                    "timeout": "10m",
                },
            },
        }
