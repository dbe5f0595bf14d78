"""Claims on jobs of Vertex AI, which lets no client choose an id: objects of Cloud Storage, compared by their generation."""

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud import storage

from activities import claims
from activities.gcp.errors import CLOUD
from contracts.artifacts import locate

SETTLED = "causeway-settled"
"""Metadata of a claim of which a job came."""
NEEDS = {
    "upload_from_string": ("storage.objects.create", "storage.objects.delete"),
    "reload": ("storage.objects.get", "storage.objects.list"),
    "download_as_bytes": ("storage.objects.get",),
    "delete": ("storage.objects.delete",),
}
_TIMEOUT = (5.0, 20.0)


class ClaimedJob(claims.ClaimedJob):
    """The claim on one job."""

    cloud = CLOUD

    def __init__(self, client: storage.Client, uri: str) -> None:
        """Look at the claim that lies, or will lie, at this URI."""
        super().__init__(uri)
        self._client = client

    @property
    def _blob(self) -> storage.Blob:
        # A new one each time: once read, the SDK's object stays with the generation that it found.
        where = locate(self._uri)
        return self._client.bucket(where.container).blob(where.name)

    def _read(self) -> tuple[bytes, str] | None:
        try:
            blob = self._blob
            blob.reload(timeout=_TIMEOUT, retry=None)
            text = blob.download_as_bytes(timeout=_TIMEOUT, retry=None)
        except NotFound:
            return None
        return text, str(blob.generation)

    def _write(self, text: str, version: str | None) -> bool:
        try:
            self._blob.upload_from_string(
                text,
                content_type="application/json",
                if_generation_match=int(version or 0),
                timeout=_TIMEOUT,
                retry=None,
            )
        except PreconditionFailed:
            return False
        return True

    def _seal(self, text: str) -> None:
        blob = self._blob
        # A listing shows metadata, so a sweep need not read every claim there ever was.
        blob.metadata = {SETTLED: "true"}
        blob.upload_from_string(text, content_type="application/json", timeout=_TIMEOUT, retry=None)

    def _remove(self, version: str | None) -> bool:
        try:
            wanted = int(version) if version else None
            self._blob.delete(if_generation_match=wanted, timeout=_TIMEOUT, retry=None)
        except (NotFound, PreconditionFailed):
            return False
        return True


def is_settled(blob: storage.Blob) -> bool:
    """Whether a listing already says of a claim that a job came of it."""
    return (blob.metadata or {}).get(SETTLED) == "true"
