"""What a worker shows of itself while it serves: the one place that switches metrics, traces and health on and off."""

import asyncio
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from temporalio.client import Interceptor
from temporalio.runtime import Runtime

from telemetry.switches import metrics_endpoint, traces_endpoint
from workers.health import Endpoint, Health, address_of

logger = logging.getLogger("workers")


@dataclass(frozen=True)
class Shown:
    """What a client is to be connected with, and where the worker tells how it is."""

    health: Health
    runtime: Runtime | None
    interceptors: tuple[Interceptor, ...]


@contextmanager
def shown(worker: str, queue: str, environment: Mapping[str, str], sinks: Sequence[Any]) -> Iterator[Shown]:
    """Show what the environment asks for, for as long as the body runs; nothing of OpenTelemetry is loaded otherwise.

    Raises:
        SystemExit: the address cannot be listened at; says why.
    """
    address = address_of(environment)
    health = Health(asyncio.get_running_loop(), queue)
    measured = _metrics(worker, environment, sinks, scraped=address is not None)
    traced = _tracing(worker, environment)
    endpoint = None
    try:
        if address:
            endpoint = _listening(address, health, measured)
        yield Shown(
            health,
            measured.runtime if measured else None,
            (traced.interceptor,) if traced else (),
        )
    finally:
        for closing in (traced, measured, endpoint):
            if closing:
                closing.close()


def _listening(address: tuple[str, int], health: Health, measured: Any) -> Endpoint:
    try:
        endpoint = Endpoint(address, health, measured.exposition)
    except OSError as error:
        where = f"{address[0]}:{address[1]}"
        told = f"nothing can be served at {where}: {error.strerror}; set CAUSEWAY_METRICS_ADDRESS to another host:port"
        sys.stderr.write(f"{told}\n")
        # A setting that is wrong: whoever supervises workers need not start this one again.
        raise SystemExit(2) from error
    logger.info("metrics and health at %s", endpoint.url)
    return endpoint


def _metrics(worker: str, environment: Mapping[str, str], sinks: Sequence[Any], *, scraped: bool) -> Any:
    if not (scraped or sinks or metrics_endpoint(environment)):
        return None
    from workers.metrics import metrics

    return metrics(worker, environment, sinks, scraped=scraped)


def _tracing(worker: str, environment: Mapping[str, str]) -> Any:
    if traces_endpoint(environment) is None:
        return None
    from telemetry.tracing import tracing

    return tracing(worker, environment)
