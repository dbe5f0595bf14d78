"""A run in the background, and the moments in it that tests wait for."""

import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.asked import asked
from tests.house import PATIENCE_SECONDS, Sandbox, until

ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}


@dataclass
class Run:
    """A run started with `--detach`."""

    house: Sandbox
    id: str

    @classmethod
    def start(cls, house: Sandbox, file: Path, *arguments: str) -> "Run":
        key = uuid.uuid4().hex[:12]
        answer = house.starter("run", str(file), "--detach", "--key", key, *arguments, check=True)
        run_id = next(word for word in answer.err.split() if word.endswith(f"/{key}"))
        return cls(house, run_id)

    @property
    def document(self) -> dict[str, Any]:
        return self.house.starter("status", self.id, "--json", check=True).document

    def stage(self, name: str) -> dict[str, Any]:
        return next(stage for stage in self.document["stages"] if stage["name"] == name)

    def text(self) -> str:
        return self.house.starter("status", self.id, check=True).out

    def until(self, state: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Its document, once it is in this state."""
        self.reach(state, seconds)
        return self.document

    def reach(self, state: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until it is in this state; it is a failure that it ends in another one."""

        def look() -> bool:
            status = asked(self.house, self.id)
            if not status or status.phase.value == state:
                return status is not None
            assert status.phase.value not in ENDED, (
                f"{self.id} ended {status.phase}, not {state}: {status.stages}"
            )
            return False

        until(look, f"{self.id} {state}", seconds)

    def until_job(self, stage: str, phase: str, seconds: float = PATIENCE_SECONDS) -> None:
        def look() -> bool:
            status = asked(self.house, self.id)
            job = status.stages[stage].job if status and stage in status.stages else None
            return job is not None and job.phase.value == phase.upper()

        until(look, f"the job of {stage} is {phase}", seconds)

    def line(self, stage: str) -> str:
        """The stage's row of the table a person sees, wrapped lines joined."""
        lines = [line for line in self.text().splitlines() if line.startswith(f"{stage} ")]
        return " ".join(" ".join(lines).split())


def popen_lines(process: subprocess.Popen[str]) -> list[str]:
    """All that a finished process printed."""
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return [*out.splitlines(), *err.splitlines()]
