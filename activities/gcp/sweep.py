"""What runs leave on Google Cloud: Vertex AI jobs that go on, parts of uploads, and claims of jobs that never came."""

import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from google.cloud import storage

from activities.claims import Claim
from activities.gcp.claims import ClaimedJob, is_settled
from activities.gcp.sending import TIMEOUT
from activities.gcp.signing import OWNER
from activities.gcp.states import phase_of
from activities.gcp.writer import UPLOADS, remove, uploads_below
from activities.sweeping import Found, mark_of
from activities.sweeping_jobs import RUN_TAG, STAGE_TAG
from contracts.artifacts import locate
from contracts.sweeps import SweepItem

ENDED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED")
CLAIMS = "runs/*/*/g*/job/claim.json"
"""Where `activities.gcp.jobs` keeps the claims of jobs."""
_TIMEOUT_SECONDS, _PAGE = 12.0, 1000

NEEDS = {
    "list_blobs": ("storage.objects.list",),
    "list_custom_jobs": ("aiplatform.customJobs.list",),
    "list_batch_prediction_jobs": ("aiplatform.batchPredictionJobs.list",),
}


class VertexLive:
    """Lists the custom jobs and batch predictions of a project's region that have not ended."""

    def __init__(self, client: Any, parent: str) -> None:
        """Ask through this client."""
        self._client = client
        self._parent = parent

    def __call__(self, after: str | None) -> tuple[Iterable[SweepItem], str | None]:
        """Return all of them: quotas keep them few."""
        going_on = " AND ".join(f'state!="{state}"' for state in ENDED)
        wanted = {"parent": self._parent, "filter": f"labels.{RUN_TAG}:* AND {going_on}", "page_size": 100}
        jobs = chain(
            self._client.list_custom_jobs(wanted, timeout=_TIMEOUT_SECONDS, retry=None),
            self._client.list_batch_prediction_jobs(wanted, timeout=_TIMEOUT_SECONDS, retry=None),
        )
        return [_job(job) for job in jobs if not phase_of(job.state.name).terminal], None


class PartObjects:
    """Parts of uploads that were neither composed nor given up."""

    kind = "upload"

    def __init__(self, client: storage.Client, buckets: Sequence[str]) -> None:
        """Look in these buckets; parts tell their run by their own metadata, or by their target's name."""
        self._client = client
        self._buckets = buckets

    def find(self, after: str | None) -> Found:
        """Return the uploads of which one page of a bucket's listing shows parts."""
        number, _, token = (after or "0").partition(":")
        at = int(number)
        listed = self._client.list_blobs(
            self._buckets[at],
            prefix=UPLOADS,
            page_token=token or None,
            page_size=_PAGE,
            timeout=TIMEOUT,
            retry=None,
        )
        page: Any = next(listed.pages, ())
        parts: dict[str, list[storage.Blob]] = {}
        for blob in page:
            parts.setdefault(str(blob.name).removeprefix(UPLOADS).rsplit("/", 2)[0], []).append(blob)
        items = [self._item(self._buckets[at], name, blobs) for name, blobs in parts.items()]
        if listed.next_page_token:
            return Found(items, f"{at}:{listed.next_page_token}")
        return Found(items, f"{at + 1}:" if at + 1 < len(self._buckets) else None)

    def stop(self, item: SweepItem) -> None:
        """Remove the parts; an object that was composed of them stays."""
        remove([blob for _, blob in uploads_below(self._client, locate(item.name))])

    def _item(self, bucket: str, name: str, parts: Sequence[storage.Blob]) -> SweepItem:
        run_uid, stage = mark_of(name)
        owner = next((held for part in parts if (held := (part.metadata or {}).get(OWNER))), "")
        run_uid = run_uid or owner.partition("/")[0]
        return SweepItem(
            kind=self.kind,
            id=name,
            name=f"gs://{bucket}/{name}",
            run_uid=run_uid,
            stage=stage,
            since=max((part.updated for part in parts if part.updated), default=None),
            size_bytes=sum(int(part.size or 0) for part in parts),
            cost="storage",
            by_hand=""
            if run_uid
            else f"gcloud storage rm -r {shlex.quote(f'gs://{bucket}/{UPLOADS}{name}/')}",
        )


class Claims:
    """Claims whose lease has ended and of which no job came; a claim that tells its job keeps its name taken."""

    kind = "claim"

    def __init__(self, client: storage.Client, bucket: str) -> None:
        """Look in the connection's own bucket."""
        self._client = client
        self._bucket = bucket

    def find(self, after: str | None) -> Found:
        """Return what one page of the bucket's claims holds."""
        listed = self._client.list_blobs(
            self._bucket,
            prefix="runs/",
            match_glob=CLAIMS,
            page_token=after,
            page_size=_PAGE,
            timeout=TIMEOUT,
            retry=None,
        )
        page: Any = next(listed.pages, ())
        items = [item for blob in page if (item := self._item(blob))]
        return Found(items, listed.next_page_token or None)

    def stop(self, item: SweepItem) -> None:
        """Remove it, unless a job came of it meanwhile."""
        ClaimedJob(self._client, item.name).expire()

    def _item(self, blob: storage.Blob) -> SweepItem | None:
        if is_settled(blob) or not str(blob.name).endswith("/claim.json"):
            return None
        uri = f"gs://{self._bucket}/{blob.name}"
        held: Claim | None = ClaimedJob(self._client, uri).held()
        if held is None or held.job or held.live:
            return None
        run_uid, stage = mark_of(str(blob.name))
        since: datetime | None = blob.updated
        return SweepItem(
            kind=self.kind,
            id=str(blob.name),
            name=uri,
            run_uid=run_uid,
            stage=stage,
            since=since,
            cost="nothing",
        )


def _job(job: Any) -> SweepItem:
    return SweepItem(
        kind="job",
        id=job.name,
        name=job.labels.get("causeway-key", job.display_name),
        run_uid=job.labels.get(RUN_TAG, ""),
        stage=job.labels.get(STAGE_TAG, ""),
        since=job.create_time,
        cost="a machine, by the second",
    )
