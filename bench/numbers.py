"""Measured numbers and what is told of them: median, smallest, largest, how many."""

import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psutil


@dataclass(frozen=True)
class Spread:
    """What several measurements of one thing came to."""

    unit: str
    median: float
    smallest: float
    largest: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float], unit: str) -> "Spread":
        """Sum up at least one value."""
        median = statistics.median(values)
        return cls(unit, _short(median), _short(min(values)), _short(max(values)), len(values))


@dataclass
class Numbers:
    """All values by name, in the order in which the names came up."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    units: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str) -> None:
        """Keep one more value of this name."""
        self.values[name].append(value)
        self.units[name] = unit

    def ratio(self, name: str, above: str, below: str) -> None:
        """Keep the ratios of two names, round by round, as a name of its own."""
        for one, other in zip(self.values[above], self.values[below], strict=True):
            self.add(name, one / other, "x")

    def latest_ratio(self, name: str, above: str, below: str) -> None:
        """Keep the ratio of this round as one more value of a name of its own."""
        self.add(name, self.values[above][-1] / self.values[below][-1], "x")

    def summed_up(self) -> Mapping[str, Spread]:
        """The spread of each name."""
        return {name: Spread.of(values, self.units[name]) for name, values in self.values.items()}


def machine() -> dict[str, str | int | float]:
    """Facts that the numbers depend on; nothing that names the machine."""
    return {
        "cores": os.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")
