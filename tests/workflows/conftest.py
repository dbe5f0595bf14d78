"""Tests of workflows are coroutines; each plays on a server of its own that skips time."""

import asyncio
import inspect
import logging
from collections.abc import Iterator

import pytest
from temporalio.testing import WorkflowEnvironment

from contracts.connect import plugin
from contracts.runs import SEARCH_ATTRIBUTES
from tests.workflows.play import Play
from tests.workflows.servers import dev_server, test_server


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    pyfuncitem.funcargs["runner"].run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as held:
        yield held


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("temporalio").setLevel(logging.ERROR)


@pytest.fixture
def play(runner: asyncio.Runner) -> Iterator[Play]:
    """A server that skips time."""
    starting = WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(test_server()), plugins=[plugin()]
    )
    yield from _played(runner, runner.run(starting))


@pytest.fixture
def real(runner: asyncio.Runner) -> Iterator[Play]:
    """A real server as it comes."""
    starting = WorkflowEnvironment.start_local(
        dev_server_existing_path=str(dev_server()), search_attributes=SEARCH_ATTRIBUTES, plugins=[plugin()]
    )
    yield from _played(runner, runner.run(starting))


@pytest.fixture
def forgetful(runner: asyncio.Runner) -> Iterator[Play]:
    """A real server that suggests to continue as new after 50 events."""
    starting = WorkflowEnvironment.start_local(
        dev_server_existing_path=str(dev_server()),
        search_attributes=SEARCH_ATTRIBUTES,
        plugins=[plugin()],
        dev_server_extra_args=["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=50"],
    )
    yield from _played(runner, runner.run(starting))


def _played(runner: asyncio.Runner, env: WorkflowEnvironment) -> Iterator[Play]:
    play = Play(env)
    runner.run(play.open())
    try:
        yield play
    finally:
        runner.run(play.close())
