"""The files of a load: which they are, whether their headers fit, and which row does not."""

from collections.abc import Sequence

from temporalio.exceptions import ApplicationError

from activities.gcp.csv_rows import HEADER_BYTES, header_mistake, row_mistake
from activities.gcp.errors import CLOUD
from activities.parallel import Stop, for_each
from activities.store import Store
from contracts.artifacts import Artifact, ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.storage import PAGE_OBJECTS
from contracts.tables import Column

MAX_FILES = 10_000
"""Source URIs of one load job: https://cloud.google.com/bigquery/quotas#load_jobs."""
EXPLAIN_BYTES = 256 * 1024 * 1024
"""Of each refused file, as much is read to find the row that does not fit."""
_AT_ONCE = 8


class TableFiles:
    """The files that one load brings, in the order of their names."""

    def __init__(self, store: Store, artifact: Artifact, suffix: str, columns: Sequence[Column]) -> None:
        """Find the files: the artifact itself, or every object of a folder that has the suffix.

        Raises:
            ApplicationError: `SOURCE_MISSING` when there is none, `INVALID_REQUEST` when there are too many.
        """
        self._store = store
        self._columns = columns
        self.files = self._listed(artifact, suffix) if artifact.kind == "folder" else [self._one(artifact)]

    @property
    def uris(self) -> Sequence[str]:
        """The URI of each file."""
        return [file.uri for file in self.files]

    def check_headers(self) -> None:
        """Pass if each file begins with the schema's names in order.

        Raises:
            ApplicationError: `INVALID_REQUEST`, naming file and line.
        """
        for_each(self._check_header, self.files, at_once=_AT_ONCE)

    def bad_row(self, named: str) -> ApplicationError | None:
        """Return the error that names the first row that does not fit, looking into the named file first."""
        for file in sorted(self.files, key=lambda file: (file.uri != named, file.uri)):
            mistake = row_mistake(self._store.read(_beginning(file, EXPLAIN_BYTES)), self._columns)
            if mistake:
                return _refusal(ErrorKind.INVALID_REQUEST, file.uri, mistake)
        return None

    def _one(self, artifact: Artifact) -> ObjectStat:
        found = self._store.stat(artifact.uri)
        if found is None:
            raise _refusal(ErrorKind.SOURCE_MISSING, artifact.uri, "does not exist")
        return found

    def _listed(self, artifact: Artifact, suffix: str) -> Sequence[ObjectStat]:
        found: list[ObjectStat] = []
        after: str | None = None
        while True:
            page = self._store.list(artifact.uri, after, PAGE_OBJECTS)
            found.extend(file for file in page.objects if file.uri.endswith(suffix))
            after = page.next_after
            if len(found) > MAX_FILES:
                text = f"holds more than the {MAX_FILES} files BigQuery loads at once"
                raise _refusal(ErrorKind.INVALID_REQUEST, artifact.uri, text)
            if after is None:
                break
        if not found:
            raise _refusal(ErrorKind.SOURCE_MISSING, artifact.uri, f"holds no {suffix} file")
        return found

    def _check_header(self, file: ObjectStat, _: Stop) -> None:
        beginning = b"".join(self._store.read(_beginning(file, HEADER_BYTES)))
        mistake = header_mistake(beginning, self._columns)
        if mistake:
            raise _refusal(ErrorKind.INVALID_REQUEST, file.uri, mistake)


def _beginning(file: ObjectStat, limit: int) -> ObjectStat:
    return file.model_copy(update={"size_bytes": min(file.size_bytes, limit)})


def _refusal(kind: ErrorKind, uri: str, why: str) -> ApplicationError:
    return failure(kind, f"{uri} {why}", ErrorDetail(cloud=CLOUD, ref=uri))
