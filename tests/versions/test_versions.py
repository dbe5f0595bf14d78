"""Two builds of the workflows' worker, side by side, as real processes on a real server."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.ledger import TemporalLedger
from contracts.connect import plugin
from contracts.ledger import MonthQuery, PostRequest, ledger_id
from contracts.queues import DEPLOYMENT, WORKFLOW_QUEUE
from contracts.runs import SEARCH_ATTRIBUTES
from starter.presence import START, why_nobody_answers
from tests.charges import job
from tests.house import CHECKOUT, OF_THE_OUTSIDE, PATIENCE_SECONDS, awaited, until
from tests.versions.flows_of import write
from tests.workflows.servers import dev_server
from workers.versions import BUILD, deployment


class Upgrade:
    """A server, and workers of several builds that serve it."""

    def __init__(self, env: WorkflowEnvironment, folder: Path) -> None:
        self.client = env.client
        self.address = env.client.service_client.config.target_host
        self._folder = folder
        self._workers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, build: str, code: str) -> None:
        home, ready = self._folder / code, self._folder / f"{build}.ready"
        if not home.exists():
            write(self._folder, code)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_OUTSIDE)}
        told = {
            "TEMPORAL_ADDRESS": self.address,
            "PYTHONPATH": f"{home}{os.pathsep}{CHECKOUT}",
            "CAUSEWAY_WORKFLOWS": "flows:Waiter",
            BUILD: build,
        }
        command = [sys.executable, "-m", "workers", "workflows", "--ready-file", str(ready)]
        with (self._folder / f"{build}.log").open("wb") as log:
            self._workers[build] = subprocess.Popen(command, env={**kept, **told}, cwd=home, stderr=log)
        until(ready.exists, f"the worker of build {build}")

    def stop(self, build: str) -> int:
        process = self._workers.pop(build)
        process.terminate()
        return process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        for build in tuple(self._workers):
            self.stop(build)

    async def make_current(self, build: str) -> None:
        """As the command in docs/upgrades.md does; the server may need a moment to know of the build."""
        command = [str(dev_server()), "worker", "deployment", "set-current-version", "--yes"]
        command += ["--deployment-name", DEPLOYMENT, "--build-id", build, "--address", self.address]

        async def told() -> bool:
            done = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, timeout=PATIENCE_SECONDS
            )
            return done.returncode == 0

        await awaited(told, f"{build} is current")

    async def waiter(self, name: str) -> WorkflowHandle[object, object]:
        return await self.client.start_workflow("waiter", id=name, task_queue=WORKFLOW_QUEUE)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as held:
        yield held


@pytest.fixture
def upgrade(runner: asyncio.Runner, tmp_path: Path) -> Iterator[Upgrade]:
    starting = WorkflowEnvironment.start_local(
        dev_server_existing_path=str(dev_server()), search_attributes=SEARCH_ATTRIBUTES, plugins=[plugin()]
    )
    env = runner.run(starting)
    held = Upgrade(env, tmp_path)
    try:
        yield held
    finally:
        held.close()
        runner.run(env.shutdown())


def test_a_run_ends_on_the_build_that_took_it_up_and_a_new_one_begins_on_the_new(
    runner: asyncio.Runner, upgrade: Upgrade
) -> None:
    async def played() -> None:
        upgrade.start("one", "one")
        await upgrade.make_current("one")
        old = await upgrade.waiter("old")
        await begun(old)
        upgrade.start("two", "two")
        await upgrade.make_current("two")
        new = await upgrade.waiter("new")
        await begun(new)
        for run in (old, new):
            await run.signal("tell")
        assert (await answer(old), await answer(new)) == ("one", "two")
        assert (await builds_of(old), await builds_of(new)) == ({"one"}, {"two"})

    runner.run(played())
    assert (upgrade.stop("one"), upgrade.stop("two")) == (0, 0)


def test_a_run_waits_for_its_own_build_when_its_worker_is_away(
    runner: asyncio.Runner, upgrade: Upgrade
) -> None:
    async def played() -> None:
        upgrade.start("one", "one")
        await upgrade.make_current("one")
        old = await upgrade.waiter("old")
        await begun(old)
        upgrade.stop("one")
        upgrade.start("two", "two")
        await upgrade.make_current("two")
        await old.signal("tell")
        new = await upgrade.waiter("new")
        await new.signal("tell")
        assert await answer(new) == "two"
        assert await builds_of(old) == {"one"}
        upgrade.start("one", "one")
        assert await answer(old) == "one"

    runner.run(played())


def test_a_month_of_the_ledger_goes_on_with_the_newest_build(
    runner: asyncio.Runner, upgrade: Upgrade
) -> None:
    async def played() -> None:
        ledger = TemporalLedger(upgrade.client)
        for number, build in enumerate(("one", "two"), 1):
            upgrade.start(build, build)
            await upgrade.make_current(build)
            await ledger.post(PostRequest(charges=(job(number),)))
            if build == "one":
                upgrade.stop("one")
        month = upgrade.client.get_workflow_handle(ledger_id("2026-11"))
        assert await builds_of(month) == {"one", "two"}
        assert (await ledger.month(MonthQuery(month="2026-11"))).totals[0].cost == Decimal("0.5")

    runner.run(played())


def test_whoever_waits_for_a_build_that_is_not_current_is_told_the_command(
    runner: asyncio.Runner, upgrade: Upgrade
) -> None:
    async def played() -> None:
        assert await why_nobody_answers(upgrade.client) == START
        upgrade.start("one", "one")

        async def said() -> str | None:
            told = await why_nobody_answers(upgrade.client)
            return told if told != START else None

        told = await awaited(said, "the build is known")
        assert f"set-current-version --deployment-name {DEPLOYMENT} --build-id one" in told
        await upgrade.make_current("one")
        assert await why_nobody_answers(upgrade.client) == START

    runner.run(played())


@pytest.mark.parametrize("build", ["a b", "x" * 129, "ü"])
def test_a_build_that_is_misnamed_is_refused(build: str) -> None:
    with pytest.raises(ValueError, match=BUILD):
        deployment({BUILD: build})


@pytest.mark.parametrize("build", ["", "  "])
def test_without_a_build_nothing_is_versioned(build: str) -> None:
    assert deployment({BUILD: build}) is None
    assert deployment({}) is None


async def begun(run: WorkflowHandle[object, object]) -> None:
    """Wait until a worker has taken the run up."""
    await awaited(lambda: builds_of(run), f"{run.id} is taken up")


async def builds_of(run: WorkflowHandle[object, object]) -> set[str]:
    """The builds that have answered for a run, as its history tells."""
    history = await run.fetch_history()
    return {
        event.workflow_task_completed_event_attributes.deployment_version.build_id
        for event in history.events
        if event.HasField("workflow_task_completed_event_attributes")
    }


async def answer(run: WorkflowHandle[object, object]) -> object:
    return await asyncio.wait_for(run.result(), PATIENCE_SECONDS)
