"""What goes wrong meanwhile: servers misbehave, workers are told to end or are killed."""

import random
import time
from dataclasses import dataclass, field

import psutil

from tests.durability.matrix import JOB_SERVERS
from tests.house import PATIENCE_SECONDS, Sandbox, kill
from workers.catalogue import WORKERS

FAULTS = (
    ("unavailable", "--seconds", "5"),
    ("throttle", "--seconds", "5"),
    ("slow", "--delay", "1", "--seconds", "5"),
    ("drop", "--times", "2"),
)
"""Wide: a worker has 20 s to let activities land."""


@dataclass
class Trouble:
    """Makes it, and counts."""

    house: Sandbox
    chance: random.Random
    faults: int = 0
    kills: int = 0
    drains: list[float] = field(default_factory=list)
    """Seconds from SIGTERM until the worker's process had ended."""

    def make(self, *, restarts: bool) -> None:
        """Draw one trouble; without restarts only servers misbehave."""
        what = self.chance.choice(("fault", "drain", "kill") if restarts else ("fault",))
        if what == "fault":
            server = self.chance.choice(sorted(JOB_SERVERS.values()))
            self.house.sandbox("fault", server, *self.chance.choice(FAULTS))
            self.faults += 1
            return
        process = self.house.worker(self.chance.choice(sorted(WORKERS)))
        if what == "kill":
            kill(process)
            self.kills += 1
            return
        began = time.monotonic()
        process.terminate()
        process.wait(PATIENCE_SECONDS)
        self.drains.append(time.monotonic() - began)

    def clear(self) -> None:
        """Have every server behave again."""
        for server in JOB_SERVERS.values():
            self.house.sandbox("fault", server, "clear")


@dataclass
class Memory:
    """Resident memory of each worker, in MiB, as it was looked at."""

    house: Sandbox
    seen: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in WORKERS})

    def look(self) -> None:
        """Take one sample of each worker that is there."""
        for name, samples in self.seen.items():
            process = next(self.house.workers(name), None)
            if process is not None:
                try:
                    samples.append(process.memory_info().rss / 2**20)
                except psutil.NoSuchProcess:
                    continue
