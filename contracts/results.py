"""What picks and fan-outs tell of themselves; always small, however much there was to choose from."""

from pydantic import Field

from contracts.artifacts import Artifact
from contracts.model import Message

FAILURES_SHOWN = 20


class Candidate(Message):
    """One of those among which a pick chose."""

    stage: str
    item: int | None = None
    """Of a fan-out: the item that was its best."""
    score: float | None = None
    why: str = ""
    """Why it has no score."""
    picked: bool = False


class Choice(Message):
    """What a pick picked, and among which."""

    by: str
    stage: str
    """The stage whose outputs were picked; never a pick itself."""
    item: int | None = None
    candidates: tuple[Candidate, ...]


class ItemFailure(Message):
    """An item that is out of retries."""

    index: int
    item: str
    kind: str
    message: str


class Winner(Message):
    """The best item of a fan-out by one figure, and what it left."""

    by: str
    index: int
    item: str
    score: float
    counted: int
    """Items that have the figure."""
    outputs: dict[str, Artifact] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)


class FanoutStatus(Message):
    """How the items of a stage stand: counts, and the first that failed."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    running: int = 0
    jobs: int = 0
    """Remote jobs that live."""
    failures: tuple[ItemFailure, ...] = ()
    """The first that failed, at most `FAILURES_SHOWN`."""
    winners: tuple[Winner, ...] = ()

    @property
    def words(self) -> str:
        """The counts in one line."""
        said = [f"{self.succeeded} of {self.total} items"]
        said += [f"{self.failed} failed"] if self.failed else []
        said += [f"{self.running} running"] if self.running else []
        return ", ".join(said)
