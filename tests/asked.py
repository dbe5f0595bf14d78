"""How a run stands, asked over a connection that the tests hold: a command for each look would take the machine's time."""

import asyncio
import functools
import threading
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from contracts.connect import plugin
from contracts.runs import RunStatus
from starter import temporal
from starter.exits import StarterError
from tests.house import PATIENCE_SECONDS, Sandbox

_CLIENTS: dict[Path, Client] = {}


def asked(house: Sandbox, run_id: str) -> RunStatus | None:
    """How a run stands; none where nobody answers now."""
    return asyncio.run_coroutine_threadsafe(_asked(house, run_id), _loop()).result(PATIENCE_SECONDS)


async def _asked(house: Sandbox, run_id: str) -> RunStatus | None:
    try:
        if house.root not in _CLIENTS:
            address = house.environment("starter")["TEMPORAL_ADDRESS"]
            _CLIENTS[house.root] = await Client.connect(address, plugins=[plugin()])
        return await temporal.status(_CLIENTS[house.root], run_id)
    except (StarterError, RPCError, RuntimeError):
        # Temporal is on its way back up, maybe elsewhere.
        _CLIENTS.pop(house.root, None)
        return None


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """A loop of its own: others of the process, such as Playwright's, have theirs in the tests' thread."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop
