"""The files of a load: which they are, whether what they say of themselves fits, and which row does not."""

from collections.abc import Iterator, Sequence
from itertools import islice

from temporalio.exceptions import ApplicationError

from activities.gcp.errors import CLOUD
from activities.gcp.table_formats import FileFormat, beginning
from activities.listed import objects_below
from activities.parallel import Stop, for_each
from activities.store import Store
from contracts.artifacts import Artifact, ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.tables import Column

MAX_FILES = 10_000
"""Source URIs of one load job: https://cloud.google.com/bigquery/quotas#load_jobs."""
EXPLAIN_BYTES = 256 * 1024 * 1024
"""Of each refused file, as much is read to find the row that does not fit."""
_AT_ONCE = 8


class TableFiles:
    """The files that one load brings, in the order of their names."""

    def __init__(
        self,
        store: Store,
        artifact: Artifact,
        file_format: FileFormat,
        columns: Sequence[Column],
        *,
        explain_bytes: int = EXPLAIN_BYTES,
    ) -> None:
        """Find the files: the artifact itself, or every object of a folder that has a suffix of the format.

        Raises:
            ApplicationError: `SOURCE_MISSING` when there is none, `INVALID_REQUEST` when there are too many.
        """
        self._store = store
        self._format = file_format
        self._columns = columns
        self._explain_bytes = explain_bytes
        self.files = self._listed(artifact) if artifact.kind == "folder" else [self._one(artifact)]

    @property
    def uris(self) -> Sequence[str]:
        """The URI of each file."""
        return [file.uri for file in self.files]

    def look(self) -> None:
        """Pass if a small read of each file tells nothing against it: a header, the first lines, a footer's columns.

        Raises:
            ApplicationError: `INVALID_REQUEST`, naming file and line or column.
        """
        for_each(self._look_at, self.files, at_once=_AT_ONCE)

    def bad_row(self, named: str) -> ApplicationError | None:
        """Return the error that names the first row that does not fit, looking into the named file first."""
        for file in sorted(self.files, key=lambda file: (file.uri != named, file.uri)):
            mistake = self._explained(file)
            if mistake:
                return _refusal(ErrorKind.INVALID_REQUEST, file.uri, mistake)
        return None

    def unread(self, refusal: ApplicationError, named: str) -> ApplicationError:
        """Return a refusal of files whose rows are not read, with all that is known of where its row is."""
        if self._format.explain is not None:
            return refusal
        where = self.files[0].uri if len(self.files) == 1 else f"one of {len(self.files)} files"
        hint = f" (it names {named})" if named and len(self.files) > 1 else ""
        told = f"{refusal.message}; it is in {where}{hint}, and of {self._format.shown} BigQuery tells no row"
        return failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(cloud=CLOUD, ref=where))

    def _explained(self, file: ObjectStat) -> str | None:
        if self._format.explain is None:
            look = self._format.explain_by_look
            return look(self._store, file, self._columns) if look else None
        try:
            return self._format.explain(self._as_far_as_looked(file), self._columns)
        except _SeenEnough:
            return None

    def _as_far_as_looked(self, file: ObjectStat) -> Iterator[bytes]:
        yield from self._store.read(beginning(file, self._explain_bytes))
        if file.size_bytes > self._explain_bytes:
            # The row that is cut here is none that does not fit.
            raise _SeenEnough

    def _one(self, artifact: Artifact) -> ObjectStat:
        found = self._store.stat(artifact.uri)
        if found is None:
            raise _refusal(ErrorKind.SOURCE_MISSING, artifact.uri, "does not exist")
        return found

    def _listed(self, artifact: Artifact) -> Sequence[ObjectStat]:
        held = objects_below(self._store, artifact.uri)
        meant = (file for file in held if file.uri.endswith(self._format.suffixes))
        found = list(islice(meant, MAX_FILES + 1))
        if len(found) > MAX_FILES:
            text = f"holds more than the {MAX_FILES} files BigQuery loads at once"
            raise _refusal(ErrorKind.INVALID_REQUEST, artifact.uri, text)
        if not found:
            raise _refusal(ErrorKind.SOURCE_MISSING, artifact.uri, f"holds no {self._format.shown} file")
        return found

    def _look_at(self, file: ObjectStat, _: Stop) -> None:
        mistake = self._format.look(self._store, file, self._columns)
        if mistake:
            raise _refusal(ErrorKind.INVALID_REQUEST, file.uri, mistake)


class _SeenEnough(Exception):
    """A file is longer than is read to explain a refusal."""


def _refusal(kind: ErrorKind, uri: str, why: str) -> ApplicationError:
    return failure(kind, f"{uri} {why}", ErrorDetail(cloud=CLOUD, ref=uri))
