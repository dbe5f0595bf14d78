"""The state of each server, for people and for programs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from sandbox.layout import Endpoints, Layout, Unreachable
from sandbox.logs import end_of
from sandbox.processes import Records
from sandbox.services.base import Service
from sandbox.services.catalogue import WITH_WORKERS


@dataclass(frozen=True)
class ServerStatus:
    """One server as it is now."""

    name: str
    state: str
    """`up`, `silent` (alive, does not answer), `dead` (it ended by itself), or `down` (not started)."""
    url: str | None
    ports: dict[str, int]
    pid: int | None
    since: str | None
    log: str
    last_line: str | None
    """The end of the log of a server that is not well."""

    @property
    def is_bad(self) -> bool:
        """Whether it should be up and is not."""
        return self.state in ("dead", "silent")


def survey(layout: Layout) -> list[ServerStatus]:
    """Ask every server for its health, all at once. The workers are shown when they were started.

    Raises:
        Unreachable: There is no sandbox here.
    """
    endpoints = Endpoints.load(layout)
    records = Records(layout)
    shown = [service for name, service in WITH_WORKERS.items() if name != "workers" or records.get(name)]
    with ThreadPoolExecutor(max_workers=len(shown)) as pool:
        return list(pool.map(lambda service: _one(service, layout, endpoints, records), shown))


def _one(service: Service, layout: Layout, endpoints: Endpoints, records: Records) -> ServerStatus:
    record = records.get(service.name)
    process = record.process() if record else None
    if process is None:
        state = "dead" if record else "down"
    else:
        state = "up" if service.healthy(layout, endpoints) else "silent"
    log = layout.log_of(service.name)
    return ServerStatus(
        name=service.name,
        state=state,
        url=service.url(endpoints),
        ports={name: endpoints.ports[name] for name in service.ports},
        pid=process.pid if process else None,
        since=_since(process) if process else None,
        log=str(log),
        last_line=next(iter(end_of(log, 1)), None) if state in ("dead", "silent") else None,
    )


def _since(process: psutil.Process) -> str | None:
    try:
        return datetime.fromtimestamp(process.create_time(), UTC).isoformat(timespec="seconds")
    except psutil.Error:
        # It has ended since it was looked at.
        return None


def require_well(statuses: list[ServerStatus]) -> None:
    """Raise when a server is not well, or when none is up.

    Raises:
        Unreachable: Names the servers and what to do.
    """
    if bad := [status.name for status in statuses if status.is_bad]:
        raise Unreachable(f"not well: {', '.join(bad)}; `python -m sandbox up` brings dead servers back")
    if not any(status.state == "up" for status in statuses):
        raise Unreachable("the sandbox is down: `python -m sandbox up` starts it")
