"""What the rounds came to, in numbers: for the end of the test run, and as JSON where `CAUSEWAY_RECORD` names a file."""

import json
import os
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.durability.matrix import SEED, Cell, cells


@dataclass(frozen=True)
class Round:
    """What came of one kill."""

    cell: Cell
    landed: bool
    """Whether the activity was still in flight when its victim had died."""
    recovery_seconds: float | None
    """From the kill until the interrupted work was taken up again, or until the run answered queries again."""
    ending_seconds: float
    """From the kill until the run had ended as it should."""


ROUNDS: list[Round] = []


def document(rounds: Sequence[Round]) -> dict[str, Any]:
    """Counts, and medians and largest seconds by victim and by moment."""
    return {
        "seed": SEED,
        "rounds": len(rounds),
        "cells": {"of_the_matrix": len(cells()), "hit": len({held.cell for held in rounds})},
        "kills": len(rounds),
        "kills_in_flight": sum(held.landed for held in rounds),
        "recoveries": len(rounds),
        "victims": _by(rounds, lambda held: held.cell.victim),
        "moments": _by(rounds, lambda held: held.cell.moment),
        "clouds": dict(sorted(Counter(held.cell.cloud for held in rounds).items())),
    }


def lines(rounds: Sequence[Round]) -> Iterator[str]:
    """The table a person reads."""
    told = document(rounds)
    yield f"seed {SEED}: {told['kills']} kills in {told['cells']['hit']} of {told['cells']['of_the_matrix']} cells"
    yield f"{told['kills_in_flight']} while the activity was in flight; {told['recoveries']} runs ended as they should"
    yield f"{'':12} {'kills':>6} {'recovery median / max':>24} {'to the end median / max':>26}"
    for group in ("victims", "moments"):
        for name, row in told[group].items():
            recovery, ending = (_pair(row[key]) for key in ("recovery_seconds", "ending_seconds"))
            yield f"{name:12} {row['kills']:>6} {recovery:>24} {ending:>26}"


def record(found: dict[str, Any]) -> None:
    """Write figures where the environment asks for them, beside those of other kinds that are there."""
    if named := os.environ.get("CAUSEWAY_RECORD"):
        path = Path(named)
        there = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(there | found, indent=2) + "\n")


def _by(rounds: Sequence[Round], key: Callable[[Round], str]) -> dict[str, Any]:
    groups: dict[str, list[Round]] = {}
    for held in rounds:
        groups.setdefault(key(held), []).append(held)
    return {
        name: {
            "kills": len(group),
            "in_flight": sum(held.landed for held in group),
            "recovery_seconds": spread(
                [held.recovery_seconds for held in group if held.recovery_seconds is not None]
            ),
            "ending_seconds": spread([held.ending_seconds for held in group]),
        }
        for name, group in sorted(groups.items())
    }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """Median and largest, to a tenth; nothing of nothing."""
    if not values:
        return None
    return {"median": round(statistics.median(values), 1), "max": round(max(values), 1)}


def _pair(spread: dict[str, float] | None) -> str:
    return f"{spread['median']} / {spread['max']} s" if spread else "-"
