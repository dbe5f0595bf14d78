"""Which permissions a request to BigQuery takes: https://cloud.google.com/bigquery/docs/access-control."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox.servers.rights.of_storage import StorageNeeds
from sandbox.servers.rights.planted import Need, Thing

Known = Callable[[str], bool]
"""Whether the server answers a path with something that exists."""

_ROOT = "/bigquery/v2/projects/"
_PATH = re.compile(
    rf"{_ROOT}(?P<project>[^/]+)/(?P<kind>datasets|jobs|queries)(?:/(?P<id>[^/]+))?"
    r"(?P<tables>/tables(?:/(?P<table>[^/]+)(?P<data>/data|/insertAll)?)?)?(?P<cancel>/cancel)?/?"
)
_VERBS = {"GET": "get", "POST": "create", "DELETE": "delete", "PATCH": "update", "PUT": "update"}
_NAME = re.compile(r"`?[\w-]+`?(?:\.`?[\w-]+`?){1,2}")
_CHANGES = re.compile(r"\s*(?:CREATE|INSERT|UPDATE|MERGE|DELETE|TRUNCATE|DROP|ALTER)\b", re.IGNORECASE)
_WRITE = ("update", "updateData")


class BigQueryNeeds:
    """The needs of requests; jobs that are there are all the account's own."""

    def __init__(self, storage: StorageNeeds, known: Known) -> None:
        """Ask `known` which of the names in a statement are tables."""
        self._storage = storage
        self._known = known

    def of(self, method: str, target: str, body: bytes) -> list[Need]:
        """Return what a request needs."""
        path = urlsplit(target).path
        found = _PATH.fullmatch(path)
        if not found:
            return []
        project, one = found["project"], unquote(found["id"] or "")
        if found["kind"] == "datasets":
            return list(self._of_dataset(method, project, one, found))
        if method == "POST" and not one:
            return [Need("bigquery.jobs.create", _project(project)), *self._of_job(project, json.loads(body))]
        # Who made a job may look at it and cancel it; that there is none is told to who may look at all.
        own = not one or found["cancel"] or found["kind"] == "queries" or self._known(path)
        return [] if own else [Need("bigquery.jobs.get", _project(project))]

    def _of_dataset(self, method: str, project: str, one: str, found: re.Match[str]) -> Iterator[Need]:
        if one.startswith("_"):
            # The results of a query lie in a dataset without a name, which is whose the query is.
            return
        if not one:
            # A list shows the datasets that its reader may see, and refuses nobody.
            if method == "POST":
                yield Need("bigquery.datasets.create", _project(project))
        elif not found["tables"]:
            yield Need(f"bigquery.datasets.{_VERBS[method]}", _dataset(project, one))
        elif not found["table"]:
            verb = "list" if method == "GET" else "create"
            yield Need(f"bigquery.tables.{verb}", _dataset(project, one))
        else:
            verb = {"/data": "getData", "/insertAll": "updateData"}.get(found["data"] or "", _VERBS[method])
            yield Need(f"bigquery.tables.{verb}", _table(project, one, unquote(found["table"])))

    def _of_job(self, project: str, body: dict[str, Any]) -> Iterator[Need]:
        asked = body.get("configuration", {"query": body})
        load, copy, query = asked.get("load"), asked.get("copy"), asked.get("query")
        if load:
            yield from _written(load["destinationTable"])
            for uri in load["sourceUris"]:
                bucket, _, name = uri.removeprefix("gs://").partition("/")
                yield Need("storage.objects.get", self._storage.object_thing(bucket, name))
        if copy:
            yield from _read(copy.get("sourceTables") or [copy["sourceTable"]])
            yield from _written(copy["destinationTable"])
        if query:
            yield from self._of_statement(project, query["query"])

    def _of_statement(self, project: str, text: str) -> Iterator[Need]:
        named = [_reference(project, found[0].replace("`", "")) for found in _NAME.finditer(text)]
        if _CHANGES.match(text) and named:
            yield from _written(named.pop(0))
        yield from _read(held for held in named if self._known(_path_of(held)))


def _written(held: dict[str, str]) -> Iterator[Need]:
    project, dataset, table = held["projectId"], held["datasetId"], held["tableId"]
    yield Need("bigquery.tables.create", _dataset(project, dataset))
    for verb in _WRITE:
        yield Need(f"bigquery.tables.{verb}", _table(project, dataset, table))


def _read(tables: Iterable[dict[str, str]]) -> Iterator[Need]:
    for held in tables:
        for verb in ("get", "getData"):
            thing = _table(held["projectId"], held["datasetId"], held["tableId"])
            yield Need(f"bigquery.tables.{verb}", thing)


def _reference(project: str, name: str) -> dict[str, str]:
    *before, dataset, table = name.split(".")
    return {"projectId": before[0] if before else project, "datasetId": dataset, "tableId": table}


def _path_of(held: dict[str, str]) -> str:
    return f"{_ROOT}{held['projectId']}/datasets/{held['datasetId']}/tables/{held['tableId']}"


def _project(project: str) -> Thing:
    place = f"projects/{project}"
    return Thing(place, "cloudresourcemanager.googleapis.com/Project", (place,))


def _dataset(project: str, dataset: str) -> Thing:
    name = f"projects/{project}/datasets/{dataset}"
    return Thing(name, "bigquery.googleapis.com/Dataset", (f"projects/{project}",))


def _table(project: str, dataset: str, table: str) -> Thing:
    name = f"projects/{project}/datasets/{dataset}/tables/{table}"
    return Thing(name, "bigquery.googleapis.com/Table", (f"projects/{project}",))
