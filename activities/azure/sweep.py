"""What runs leave on Azure: jobs of the workspace that go on, staged blocks, and arrivals that nobody confirmed."""

import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobProperties, BlobServiceClient, ContainerClient

from activities.azure import staging
from activities.azure.actions import BLOB_READ, ML
from activities.azure.blobs import SCHEME, blob_location
from activities.azure.blocks import read_block_id
from activities.azure.removal import abort_uploads, is_discarded
from activities.azure.states import phase_of
from activities.azure.workspace import MlWorkspace
from activities.sweeping import Found, mark_of
from activities.sweeping_jobs import RUN_TAG, STAGE_TAG
from contracts.sweeps import SweepItem

NEEDS = {
    "jobs.list": (f"{ML}/jobs/read",),
    "list_blobs": (BLOB_READ,),
    "get_block_list": (BLOB_READ,),
}
_PAGE = 1000


class WorkspaceLive:
    """Lists the jobs of a workspace that have not ended."""

    def __init__(self, workspace: MlWorkspace) -> None:
        """Ask this workspace; nothing is asked yet."""
        self._workspace = workspace

    def __call__(self, after: str | None) -> tuple[Iterable[SweepItem], str | None]:
        """Return one page; the service filters by the presence of a tag, so what has ended is passed over here."""
        listed: Any = self._workspace.client.jobs.list(tag=RUN_TAG)
        pages = listed.by_page(continuation_token=after)
        items = [item for job in next(pages, ()) if job is not None and (item := _job(job))]
        return items, pages.continuation_token or None


class StagedBlobs:
    """Blobs of which only blocks were staged, and what was pushed aside; both are Causeway's by their names."""

    kind = "upload"

    def __init__(self, service: BlobServiceClient, containers: Sequence[str]) -> None:
        """Look in these containers; only what lies below a run's own prefix tells whose it is."""
        self._service = service
        self._containers = containers

    def find(self, after: str | None) -> Found:
        """Return what one page of a container's listing holds."""
        number, _, token = (after or "0").partition(":")
        at = int(number)
        container = self._service.get_container_client(self._containers[at])
        listed = container.list_blobs(include=["uncommittedblobs", "metadata"], results_per_page=_PAGE)
        pages: Any = listed.by_page(continuation_token=token or None)
        found = [item for blob in next(pages, ()) if (item := self._item(container, blob))]
        items = list({item.name: item for item in found}.values())
        if pages.continuation_token:
            return Found(items, f"{at}:{pages.continuation_token}")
        return Found(items, f"{at + 1}:" if at + 1 < len(self._containers) else None)

    def stop(self, item: SweepItem) -> None:
        """Give up the blocks and what was pushed for them; a blob that came to be meanwhile stays."""
        location = blob_location(item.name)
        abort_uploads(self._service.get_container_client(location.container), location)

    def _item(self, container: ContainerClient, blob: BlobProperties) -> SweepItem | None:
        name = str(blob.name)
        aside = name.startswith(staging.PREFIX)
        size = blob.size or 0
        if not aside:
            if size or (not is_discarded(blob) and not (size := _staged_bytes(container, name))):
                return None
        target = name.removeprefix(staging.PREFIX).rpartition(".")[0] if aside else name
        run_uid, stage = mark_of(target)
        return SweepItem(
            kind=self.kind,
            id=name,
            name=f"{SCHEME}://{container.container_name}/{target}",
            run_uid=run_uid,
            stage=stage,
            since=blob.last_modified,
            size_bytes=size,
            cost="storage of its blocks, at most a week" if not aside else "storage",
            by_hand="" if run_uid else _discard_by_hand(container, name, there=aside or is_discarded(blob)),
        )


def _discard_by_hand(container: ContainerClient, name: str, *, there: bool) -> str:
    """Return what deletes a blob or, of one that is blocks alone, first puts an empty one in their place."""
    named = ("--container-name", container.container_name, "--name", name, "--auth-mode", "login")
    words = shlex.join(("--account-name", str(container.account_name), *named))
    delete = f"az storage blob delete {words}"
    return delete if there else f"az storage blob upload {words} --data '' --overwrite false && {delete}"


def _staged_bytes(container: ContainerClient, name: str) -> int:
    """Return what the staged blocks of a blob come to; 0 where it is a blob, or where others staged them."""
    try:
        committed, staged = container.get_blob_client(name).get_block_list("all")
    except ResourceNotFoundError:
        return 0
    if committed or not all(read_block_id(block.id, block.size) for block in staged):
        return 0
    return sum(block.size for block in staged)


def _job(job: Any) -> SweepItem | None:
    tags = job.tags or {}
    status = str(getattr(job.status, "value", job.status))
    if RUN_TAG not in tags or phase_of(status).terminal:
        return None
    return SweepItem(
        kind="job",
        id=str(job.id or job.name),
        name=str(tags.get("causeway-key") or job.name),
        run_uid=tags[RUN_TAG],
        stage=tags.get(STAGE_TAG, ""),
        since=getattr(job.creation_context, "created_at", None),
        cost="a compute node, by the second",
    )
