"""What this worker lately wrote down about each stage, to be kept with it; bounded, and lost with the process."""

import logging
import threading
from collections import OrderedDict, deque
from datetime import UTC, datetime
from typing import Any

STAGES = 256
"""Stages whose lines are held; the one that was silent for longest is forgotten first."""
LINES = 2000
"""Of one stage; the oldest go first."""
LINE_LIMIT = 4000
"""Characters: all of it together stays within some hundred MiB at the very worst, and usually within one."""


class RunLines(logging.Handler):
    """Holds formatted lines by run and stage."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._held: OrderedDict[tuple[str, str], deque[tuple[float, str]]] = OrderedDict()
        self._stages: dict[tuple[str, str], str] = {}

    def began(self, workflow_run: str, activity: str, stage: str | None) -> None:
        """From now on, lines of this activity are about a stage."""
        if stage:
            with self._guard:
                self._stages[workflow_run, activity] = stage

    def ended(self, workflow_run: str, activity: str) -> None:
        """The activity is over."""
        with self._guard:
            self._stages.pop((workflow_run, activity), None)

    def emit(self, record: logging.LogRecord) -> None:
        """Hold the line if it is about a stage of a run."""
        info: dict[str, Any] = getattr(record, "temporal_activity", None) or {}
        run = _run_of(str(info.get("workflow_id", "")))
        activity = (str(info.get("workflow_run_id", "")), str(info.get("activity_id", "")))
        with self._guard:
            stage = getattr(record, "stage", None) or self._stages.get(activity)
            if not run or not stage:
                return
            lines = self._held.setdefault((run, stage), deque(maxlen=LINES))
            self._held.move_to_end((run, stage))
            lines.append((record.created, self.format(record)[:LINE_LIMIT]))
            while len(self._held) > STAGES:
                self._held.popitem(last=False)

    def of(self, run: str, stage: str, since: datetime) -> list[str]:
        """Lines about a stage, or about its items, since a moment; oldest first."""
        begun = since.astimezone(UTC).timestamp() - 1
        with self._guard:
            found = [
                line
                for (of_run, of_stage), lines in self._held.items()
                if of_run == run and (of_stage == stage or of_stage.startswith(f"{stage}-"))
                for line in lines
                if line[0] >= begun
            ]
        return [text for _, text in sorted(found)]


def _run_of(workflow_id: str) -> str:
    # Children of a run carry its name before theirs.
    return "/".join(workflow_id.split("/")[:2])


KEPT = RunLines()
"""One for the process, as logging itself is."""
