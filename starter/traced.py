"""A run's trace begins where the run is started; where no endpoint for traces is named, nothing of it is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from telemetry.switches import traces_endpoint

if TYPE_CHECKING:
    from temporalio.client import Interceptor

_OPEN: list[Any] = []


def interceptors() -> tuple[Interceptor, ...]:
    """Return what a client is given so that what it starts is traced from here on."""
    if traces_endpoint(os.environ) is None:
        return ()
    from telemetry.tracing import tracing

    traced = tracing("starter", os.environ)
    if traced is None:
        return ()
    _OPEN.append(traced)
    return (traced.interceptor,)


@contextmanager
def starting() -> Iterator[str | None]:
    """Surround the start of a run; yields the id of the trace that it begins, None where nothing is traced."""
    if not _OPEN:
        yield None
        return
    with _OPEN[-1].span("start") as trace:
        yield trace


def close() -> None:
    """Send what is held, if it is taken within a few seconds."""
    while _OPEN:
        _OPEN.pop().close()
