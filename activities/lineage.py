"""Writes lineage down as OpenLineage has it, by its own models: to a URL, or to the end of a file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid5

from temporalio import activity

from activities.posting import Poster, check_url
from contracts.artifacts import locate
from contracts.errors import ErrorKind, failure
from contracts.jobs import RunRef
from contracts.lineage import LineageActivities, LineageBatch, LineageEvent, LineageReceipt

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

URL = "CAUSEWAY_LINEAGE_URL"
API_KEY = "CAUSEWAY_LINEAGE_API_KEY"
NAMESPACE = "CAUSEWAY_LINEAGE_NAMESPACE"
ACCOUNT = "CAUSEWAY_LINEAGE_AZURE_ACCOUNT"
PRODUCER = "urn:causeway"
BIGQUERY = "bigquery:"


@dataclass(frozen=True)
class LineageSettings:
    """Where lineage goes, and under which name."""

    url: str
    api_key: str = ""
    namespace: str = "causeway"
    """Of jobs: what this installation is called among others."""
    account: str = ""
    """Of the storage account that `az://` means; OpenLineage names blobs by it."""

    @classmethod
    def from_mapping(cls, environment: Mapping[str, str]) -> Self | None:
        """Read the settings; None where no place is named.

        Raises:
            ValueError: one of them is wrong, or the extra `lineage` is not installed; says which, and shows no value.
        """
        said = {name: environment.get(name, "").strip() for name in (URL, API_KEY, NAMESPACE, ACCOUNT)}
        if not said[URL]:
            return None
        if urlsplit(said[URL]).scheme == "file":
            if not Path(_path(said[URL])).parent.is_dir():
                raise ValueError(f"{URL} names a file in a folder that is not there")
        else:
            check_url(said[URL], URL)
        try:
            import openlineage.client.event_v2  # noqa: F401
        except ImportError:
            raise ValueError(f"{URL} needs the extra lineage of pyproject.toml") from None
        return cls(said[URL], said[API_KEY], said[NAMESPACE] or "causeway", said[ACCOUNT])


class OpenLineage(LineageActivities):
    """Sends each event of a batch; leaves retrying to Temporal."""

    def __init__(self, settings: LineageSettings | None) -> None:
        """Send there; without a place every batch waits for a worker that has one."""
        self._settings = settings
        self._poster = Poster(settings.url, "the receiver of lineage", URL) if settings else None

    @activity.defn(name="lineage.emit")
    def emit(self, batch: LineageBatch) -> LineageReceipt:
        """See the contract."""
        if self._settings is None or self._poster is None:
            told = f"{URL} is not set on this worker; another one that has it set may take this up"
            raise failure(ErrorKind.UNAVAILABLE, told)
        from openlineage.client.serde import Serde

        bodies = [Serde.to_json(run_event(self._settings, batch.run, event)) for event in batch.events]
        if urlsplit(self._settings.url).scheme == "file":
            _append(_path(self._settings.url), bodies)
            return LineageReceipt(sent=len(bodies))
        headers = {"Content-Type": "application/json"}
        if self._settings.api_key:
            headers["Authorization"] = f"Bearer {self._settings.api_key}"
        for body in bodies:
            self._poster.post(body.encode(), headers)
        return LineageReceipt(sent=len(bodies))


def run_event(settings: LineageSettings, run: RunRef, event: LineageEvent) -> "RunEvent":
    """Return the event in OpenLineage's form; the same event is the same to the last byte."""
    from openlineage.client import event_v2, facet_v2

    whole = UUID(run.run_uid)
    facets: dict[str, Any] = {}
    if event.stage:
        parent = facet_v2.parent_run
        facets["parent"] = parent.ParentRunFacet(
            run=parent.Run(runId=str(whole)),
            job=parent.Job(namespace=settings.namespace, name=run.pipeline),
            producer=PRODUCER,
        )
    if event.error:
        facets["errorMessage"] = facet_v2.error_message_run.ErrorMessageRunFacet(
            message=event.error, programmingLanguage="PYTHON", producer=PRODUCER
        )
    kind = facet_v2.job_type_job.JobTypeJobFacet(
        processingType="BATCH",
        integration="CAUSEWAY",
        jobType=event.stage_kind.upper() or "PIPELINE",
        producer=PRODUCER,
    )
    identity = uuid5(whole, f"{event.stage}/{event.attempt}") if event.stage else whole
    name = f"{run.pipeline}.{event.stage}" if event.stage else run.pipeline
    named = [dataset_of(uri, settings.account) for uri in event.inputs]
    made = [dataset_of(uri, settings.account) for uri in event.outputs]
    return event_v2.RunEvent(
        eventType=event_v2.RunState[event.kind],
        eventTime=event.at.isoformat(),
        run=event_v2.Run(runId=str(identity), facets=facets),
        job=event_v2.Job(namespace=settings.namespace, name=name, facets={"jobType": kind}),
        inputs=[event_v2.InputDataset(namespace=space, name=found) for space, found in named],
        outputs=[event_v2.OutputDataset(namespace=space, name=found) for space, found in made],
        producer=PRODUCER,
    )


def dataset_of(uri: str, account: str = "") -> tuple[str, str]:
    """Return namespace and name of a dataset, as OpenLineage's naming has it (by its package; blobs need their account)."""
    from openlineage.client.naming import dataset

    if uri.startswith(BIGQUERY):
        return "bigquery", uri.removeprefix(BIGQUERY)
    place = locate(uri)
    name = place.name.strip("/") or "/"
    if place.scheme == "file":
        local = dataset.LocalFileSystem(path=f"/{name.lstrip('/')}")
        return local.get_namespace(), local.get_name()
    if place.scheme == "az" and account:
        blob = dataset.WASBS(container=place.container, service_name=account, object_key=name)
        return blob.get_namespace(), blob.get_name()
    return f"{place.scheme}://{place.container}", name


def _path(url: str) -> str:
    return unquote(urlsplit(url).path)


def _append(path: str, bodies: list[str]) -> None:
    """Add lines by one write, so that several workers may share the file."""
    content = "".join(f"{body}\n" for body in bodies).encode()
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, content)
        finally:
            os.close(file)
    except OSError as error:
        told = f"the file of {URL} cannot be written: {error.strerror}"
        raise failure(ErrorKind.UNAVAILABLE, told) from None
