"""Mixed runs for as long as `CAUSEWAY_SOAK_MINUTES` says, while servers misbehave and workers end; then all is as it should be.

In the first half workers are restarted and killed; in the second they stay, so that their memory tells whether it grows.
"""

import json
import os
import random
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.durability.figures import record
from tests.house import Sandbox, until
from tests.soak.load import Load
from tests.soak.trouble import Memory, Trouble

MINUTES = float(os.environ.get("CAUSEWAY_SOAK_MINUTES", "20"))
SEED = int(os.environ.get("CAUSEWAY_SEED", "20261125"))
AT_ONCE = 4
TROUBLE_EVERY = 20.0
GROWTH_MIB = 128
"""Wide: what a worker may hold more at the end of the second half than at its beginning. A worker keeps the most that its
copies ever held at once (alone, 60 copies in a row: 395 to 421 MiB, and 80 jobs after them none), and in a mix that
most comes late."""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(MINUTES * 60 + 900)]


def test_no_run_is_lost_no_orphan_stays_and_memory_does_not_grow(house: Sandbox, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    load, trouble, memory = Load(house, tmp_path, chance), Trouble(house, chance), Memory(house)
    load.prepare()
    began = time.monotonic()
    half, end = began + MINUTES * 30, began + MINUTES * 60
    busy(load, trouble, Memory(house), half, restarts=True)
    busy(load, trouble, memory, end, restarts=False)
    trouble.clear()
    until(lambda: load.look() or not load.open, f"the end of {sorted(load.open)}", 600)
    orphans = house.starter("sweep", "--older-than", "1s", "--json").document
    growth = {name: grown(samples) for name, samples in memory.seen.items()}
    figures = {
        "seed": SEED,
        "minutes": MINUTES,
        "runs": dict(Counter(load.ended.values())),
        "faults": trouble.faults,
        "kills": trouble.kills,
        "drains": len(trouble.drains),
        "longest_drain_seconds": round(max(trouble.drains, default=0.0), 1),
        "memory_mib": {name: round(statistics.median(found[-20:])) for name, found in memory.seen.items()},
        "memory_growth_mib": {name: round(found, 1) for name, found in growth.items()},
        "orphans": len(orphans["orphans"]),
    }
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    record({"soak": figures})
    assert set(load.ended.values()) == {"SUCCEEDED"}
    assert len(load.ended) == load.started
    assert orphans["orphans"] == []
    assert {name: found for name, found in growth.items() if found > GROWTH_MIB} == {}
    assert max(trouble.drains, default=0.0) < 30


def busy(load: Load, trouble: Trouble, memory: Memory, until_then: float, *, restarts: bool) -> None:
    """Keep some runs going until a moment."""
    next_trouble = time.monotonic() + TROUBLE_EVERY
    while time.monotonic() < until_then:
        load.look()
        if len(load.open) < AT_ONCE:
            load.start()
        if time.monotonic() >= next_trouble:
            trouble.make(restarts=restarts)
            next_trouble = time.monotonic() + TROUBLE_EVERY
        memory.look()
        time.sleep(1)


def grown(samples: list[float]) -> float:
    """How much the median of the last fifth is above that of the second, when caches are filled."""
    fifth = max(1, len(samples) // 5)
    return statistics.median(samples[-fifth:]) - statistics.median(samples[fifth : 2 * fifth])
