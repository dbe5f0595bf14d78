"""Where in a run something dies, and what dies: the cells of the crash matrix, and how they are drawn."""

import os
import random
import secrets
from dataclasses import dataclass

from tests.pipelines import CLOUDS

SEED = int(os.environ.get("CAUSEWAY_SEED") or secrets.randbelow(10**6))
ROUNDS = int(os.environ.get("CAUSEWAY_ROUNDS") or 72)
JOB_SERVERS = {"aws": "sagemaker", "azure": "azure", "gcp": "vertex"}
STORES = {"aws": "aws", "azure": "blob", "gcp": "gcs"}
ACTIVITIES = {
    "publish": "code.publish",
    "asking": "jobs.submit",
    "accepted": "jobs.submit",
    "wait": "jobs.wait",
    "collect": "jobs.collect",
    "cancel": "jobs.close",
    "grant_read": "storage.grant_read",
    "grant_write": "storage.grant_write",
    "copy": "storage.copy",
    "push": "storage.push",
    "commit": "storage.commit",
}
"""Each moment is one activity in flight. `asking`: the server has not seen the create yet; `accepted`: it has made the
job, and its answer is lost."""
CLOUDS_OF = {
    "grant_read": ("aws", "azure", "gcp"),
    "grant_write": ("aws", "azure", "gcp"),
    "push": ("onprem",),
    "commit": ("aws", "azure", "gcp"),
}
"""On-prem neither mints nor commits: it pulls what it receives and pushes what it sends."""
VICTIMS = ("worker", "workflows", "temporal", "server")


@dataclass(frozen=True)
class Cell:
    """One thing that dies at one moment of one cloud's work."""

    cloud: str
    moment: str
    victim: str

    @property
    def activity(self) -> str:
        """The activity that is in flight at this moment."""
        return ACTIVITIES[self.moment]

    @property
    def moves(self) -> bool:
        """Whether the moment lies in a transfer; otherwise it lies in a job stage."""
        return self.activity.startswith("storage.")

    @property
    def server(self) -> str:
        """The cloud's own server that this moment needs."""
        stores = self.moves or self.moment in {"publish", "collect"}
        return (STORES if stores else JOB_SERVERS)[self.cloud]

    def __str__(self) -> str:
        return f"{self.cloud}-{self.moment}-{self.victim}"


@dataclass(frozen=True)
class Draw:
    """A cell in its round, with a seed of its own for whatever else is left to chance."""

    number: int
    cell: Cell

    @property
    def chance(self) -> random.Random:
        """The same numbers in the same order whenever this round is drawn again."""
        return random.Random(f"{SEED}/{self.number}")

    def __str__(self) -> str:
        return f"{self.number:03}-{self.cell}"


def cells() -> list[Cell]:
    """Every cell that makes sense: on-prem has no server of its own that could die."""
    return [
        Cell(cloud, moment, victim)
        for moment in ACTIVITIES
        for cloud in CLOUDS_OF.get(moment, CLOUDS)
        for victim in VICTIMS
        if (cloud, victim) != ("onprem", "server")
    ]


def draws() -> list[Draw]:
    """The rounds of this seed: no cell twice before each was drawn once."""
    deck: list[Cell] = []
    chance = random.Random(SEED)
    while len(deck) < ROUNDS:
        deck += chance.sample(cells(), len(cells()))
    return [Draw(number, cell) for number, cell in enumerate(deck[:ROUNDS], 1)]
