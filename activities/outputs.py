"""What a job left: its outputs as artifacts, and its metrics."""

import json
import math
from collections.abc import Iterator

from activities.guard import Translate, translated
from activities.known import Known
from activities.listed import objects_below
from activities.parallel import Stop, for_each
from activities.store import Store
from contracts.artifacts import Artifact, ManifestEntry, ObjectStat, folder_artifact
from contracts.errors import ErrorDetail, ErrorKind, failure

METRICS_OUTPUT = "metrics"
METRICS_FILE = "metrics.json"
_METRICS_LIMIT_BYTES = 1024 * 1024


class Collector:
    """Describes the outputs of one job of a stage."""

    def __init__(self, store: Store, translate: Translate, stage: str) -> None:
        self._store = store
        self._translate = translate
        self._stage = stage

    def artifact(self, output: str, prefix: str) -> Artifact:
        """Return the folder below a prefix; objects whose SHA-256 nobody recorded are read in full.

        Raises:
            ApplicationError: `SOURCE_MISSING` when it holds nothing, naming stage and output.
        """
        objects = tuple(self.objects(prefix))
        if not objects:
            told = f"the job of stage {self._stage} left nothing in its output {output} ({prefix})"
            raise failure(ErrorKind.SOURCE_MISSING, told, ErrorDetail(ref=prefix))
        digests = for_each(self.sha256, objects)
        entries = [
            ManifestEntry(name=held.uri.removeprefix(prefix), size_bytes=held.size_bytes, sha256=sha256)
            for held, sha256 in zip(objects, digests, strict=True)
        ]
        return folder_artifact(prefix, entries)

    def metrics(self, prefix: str) -> dict[str, float]:
        """Return the flat numbers of `metrics.json` below the prefix of the output named metrics.

        Raises:
            ApplicationError: `SOURCE_MISSING` without such a file, `INVALID_REQUEST` for other content.
        """
        uri = prefix + METRICS_FILE
        held = self._store.stat(uri)
        if held is None:
            told = f"the output metrics of stage {self._stage} holds no {METRICS_FILE}"
            raise failure(ErrorKind.SOURCE_MISSING, told, ErrorDetail(ref=uri))
        try:
            if held.size_bytes > _METRICS_LIMIT_BYTES:
                raise ValueError(f"it has {held.size_bytes} bytes, over {_METRICS_LIMIT_BYTES}")
            return parse_metrics(b"".join(self._store.read(held)))
        except ValueError as error:
            told = f"{METRICS_FILE} of stage {self._stage} is not flat numbers: {error}"
            raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(ref=uri)) from None

    def objects(self, prefix: str) -> Iterator[ObjectStat]:
        """Yield every object below a prefix, page by page."""
        return objects_below(self._store, prefix)

    def sha256(self, held: ObjectStat, stop: Stop) -> str:
        """Return the digest that is recorded of an object, or what reading every byte comes to."""
        if held.sha256:
            return held.sha256
        with translated(self._translate, held.uri):
            return Known.read(held.size_bytes, _watched(self._store.read(held), stop)).sha256 or ""


def parse_metrics(content: bytes) -> dict[str, float]:
    """Read an object of numbers.

    Raises:
        ValueError: not JSON, not an object, or a value that is no finite number; true and false are none.
    """
    try:
        found = json.loads(content, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return {name: _number(name, value) for name, value in found.items()}


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is a {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} is too large")
    return number


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number in JSON")


def _watched(pieces: Iterator[bytes], stop: Stop) -> Iterator[bytes]:
    for piece in pieces:
        stop.check()
        yield piece
