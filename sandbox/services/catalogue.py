"""Every server of the sandbox by name, in the order in which they are shown."""

from __future__ import annotations

from sandbox.layout import Misuse
from sandbox.services import aws, bigquery, blob, fronts, gcs, ours, temporal
from sandbox.services.base import Service

CATALOGUE: dict[str, Service] = {
    service.name: service
    for service in (
        temporal.SERVICE,
        aws.SERVICE,
        blob.SERVICE,
        gcs.SERVICE,
        bigquery.SERVICE,
        *fronts.SERVICES,
        *ours.SERVICES,
    )
}
WITH_WORKERS: dict[str, Service] = CATALOGUE | {"workers": ours.WORKERS}


def choose(only: str | None, *, workers: bool) -> list[Service]:
    """The servers a command is about: all, or those in a comma-separated list with their fronts.

    Raises:
        Misuse: A name is unknown; says which names there are.
    """
    names = [name.strip() for name in only.split(",")] if only else list(CATALOGUE)
    if workers:
        names.append("workers")
    names += [front for name in names if (front := named(name).front)]
    return [named(name) for name in dict.fromkeys(names)]


def named(name: str) -> Service:
    """The server of this name.

    Raises:
        Misuse: There is none.
    """
    if name not in WITH_WORKERS:
        raise Misuse(f"there is no server {name!r}: there are {', '.join(WITH_WORKERS)}")
    return WITH_WORKERS[name]
