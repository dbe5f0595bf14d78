"""What orchestration costs: four empty stages against four empty activities, and one empty stage on each cloud."""

from temporalio.client import Client

from bench.numbers import Numbers
from bench.runs import Stages, run, run_bare, seconds_of, spent

CLOUDS = ("aws", "azure", "gcp", "onprem")
COUNT = 4
PIPELINE, BARE = "four on-prem stages: pipeline", "four empty activities: bare workflow"


async def measure(client: Client, numbers: Numbers, rounds: int) -> None:
    """Take each measure once a round, so that a slow minute of the machine falls on all of them."""
    for number in range(-1, rounds):
        # The first round warms imports and connections up and is not kept.
        kept = numbers if number >= 0 else Numbers()
        kept.add(BARE, await run_bare(client, COUNT), "s")
        kept.add(PIPELINE, (await run(client, _sequence()))[1], "s")
        for cloud in CLOUDS:
            status, seconds = await run(client, {"work": _nothing(cloud)})
            kept.add(f"one empty stage, {cloud}: run", seconds, "s")
            kept.add(f"one empty stage, {cloud}: stage", seconds_of(status.stages["work"]), "s")
            for activity, taken in (await spent(client, status)).items():
                kept.add(f"one empty stage, {cloud}: {activity}", taken, "s")
    numbers.ratio("pipeline / bare workflow", PIPELINE, BARE)


def _sequence() -> Stages:
    stages = {f"step{number}": _nothing("onprem") for number in range(COUNT)}
    for number in range(1, COUNT):
        stages[f"step{number}"]["after"] = [f"step{number - 1}"]
    return stages


def _nothing(cloud: str) -> dict[str, object]:
    return {"kind": "process", "on": cloud, "command": "true"}
