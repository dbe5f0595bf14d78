"""`python -m bench`: measures on a private sandbox, prints a table and writes `bench/results/<date>.json`."""

import argparse
import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from temporalio.client import Client

from bench import commands, memory, overhead, steps
from bench.ground import CHECKOUT, Ground, ground
from bench.numbers import Numbers, Spread, machine
from bench.transfers import FREE_SIZES, LARGE_BYTES, Transfers
from contracts.connect import connect

RESULTS = CHECKOUT / "bench" / "results"
ROUNDS = 5


def main() -> None:
    """Measure everything, tell it and keep it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="kept rounds of each measure")
    parser.add_argument("--out", type=Path, help="where to write the JSON instead")
    parser.add_argument("--only", choices=["transfers"], help="measure nothing else")
    asked = parser.parse_args()
    now = datetime.now(UTC)
    facts = machine()
    numbers = Numbers()
    complete = False
    try:
        with ground() as held:
            asyncio.run(_measure(held, numbers, asked.rounds, everything=not asked.only))
            if not asked.only:
                commands.measure(held, numbers, asked.rounds)
                commands.measure_up(held, numbers, asked.rounds)
        complete = True
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted: what was measured so far is kept")
    finally:
        _keep(numbers, now, facts, asked.rounds, complete=complete, path=asked.out)


def _keep(
    numbers: Numbers,
    now: datetime,
    facts: Mapping[str, object],
    rounds: int,
    *,
    complete: bool,
    path: Path | None,
) -> None:
    found = numbers.summed_up()
    document = {
        "measured_at": now.isoformat(timespec="seconds"),
        "complete": complete,
        "machine": facts,
        "rounds": rounds,
        "measures": {name: asdict(spread) for name, spread in found.items()},
        "ratios_to_rclone": {
            name: spread.median
            for name, spread in found.items()
            if name.endswith("rclone") and spread.unit == "x"
        },
    }
    where = path or RESULTS / f"{now:%Y-%m-%d}.json"
    where.parent.mkdir(exist_ok=True)
    where.write_text(json.dumps(document, indent=2) + "\n")
    _show(found)


async def _measure(held: Ground, numbers: Numbers, rounds: int, *, everything: bool) -> None:
    os.environ["TEMPORAL_ADDRESS"] = held.settings("starter")["TEMPORAL_ADDRESS"]
    client = await connect()
    memory.at_rest(held, numbers, "after start")
    if everything:
        with held.worker("bench.bare_worker"):
            await overhead.measure(client, numbers, rounds)
    await _transfers(client, held, numbers, rounds)
    memory.at_rest(held, numbers, "after all runs")


async def _transfers(client: Client, held: Ground, numbers: Numbers, rounds: int) -> None:
    port = str(held.free_port)
    sizes = [str(size) for size in FREE_SIZES]
    endpoint = f"http://127.0.0.1:{port}"
    with (
        held.running("free", "bench.free_store", port, *sizes, settings={}),
        held.connection("second", "second", held.endpoints.s3_url) as second,
        held.connection("source", "source", endpoint) as source,
        held.connection("sink", "sink", endpoint) as sink,
    ):
        held.extra = {"aws/second": second, "aws/source": source, "aws/sink": sink}
        transfers = Transfers(client, held, numbers)
        transfers.prepare()
        await transfers.measure_alone(rounds)
        steps.measure(held, numbers, held.connected("sink", "sink", endpoint), LARGE_BYTES, rounds)
        await transfers.measure_small(rounds)
        await transfers.measure(rounds)


def _show(found: Mapping[str, Spread]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("measure", overflow="fold")
    for title in ("median", "smallest", "largest", "unit", "n"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, spread in found.items():
        values = (f"{value:g}" for value in (spread.median, spread.smallest, spread.largest))
        table.add_row(name, *values, spread.unit, str(spread.count))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
