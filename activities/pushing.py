"""Sending objects and parts through write grants, from a store that nobody outside can read."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from activities.checksums import Hashes, to_base64
from activities.cutting import cut_by
from activities.grant_client import GrantClient
from activities.grant_errors import expired
from activities.guard import Translate, translated
from activities.known import Known
from activities.pace import Throttle
from activities.parallel import Crew
from activities.progress import Meter
from activities.sources import StoredSource
from activities.store import Store
from activities.uploading import Window, as_sum
from contracts.artifacts import ObjectStat
from contracts.copies import PushPartsReceipt, PushPartsRequest, PushReceipt, PushRequest, Tally
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import Measure, PartGrant, WriteGrant


class Pusher:
    """Pushes out of one store; it neither lists nor commits at the destination."""

    def __init__(self, store: Store, client: GrantClient, translate: Translate) -> None:
        self._store = store
        self._client = client
        self._translate = translate
        self._window = Window()

    def push(self, request: PushRequest, meter: Meter) -> PushReceipt:
        """Send each object that is needed; `storage.push` states the promise.

        Raises:
            ApplicationError: a final error that any object met, or the first error when nothing was done before it.
        """
        began, crew, throttle = (
            time.monotonic(),
            Crew(request.pace.streams),
            Throttle(request.pace.bytes_per_second),
        )
        sent: dict[int, int] = {}

        def push(number: int) -> None:
            sent[number] = self._push_one(request.grants[number], number, meter, throttle)

        crew.add([partial(push, number) for number in range(len(request.grants))])
        crew.work()
        return PushReceipt(
            tally=meter.retried + Tally(bytes_sent=sum(sent.values())),
            remaining=tuple(number for number in range(len(request.grants)) if number not in sent),
            cut=cut_by(crew.error, progress=bool(sent)),
            seconds=time.monotonic() - began,
        )

    def push_parts(self, request: PushPartsRequest, meter: Meter) -> PushPartsReceipt:
        """Send parts of one large object; `storage.push_parts` states the promise."""
        began, crew = time.monotonic(), Crew(request.pace.streams)
        source = StoredSource(request.source, self._store, Throttle(request.pace.bytes_per_second))
        sent: dict[int, int] = {}

        def push(grant: PartGrant) -> None:
            size = grant.part.size_bytes
            with (
                translated(self._translate, request.source.uri),
                self._window.room(size),
                meter.sending(grant.part.index, size),
            ):
                self._push_part(source, grant)
            sent[grant.part.index] = size
            meter.add(size_bytes=size)

        crew.add([partial(push, grant) for grant in request.grants])
        crew.work()
        return PushPartsReceipt(
            sent=tuple(sorted(sent)),
            tally=meter.retried + Tally(bytes_sent=sum(sent.values())),
            cut=cut_by(crew.error, progress=bool(sent)),
            seconds=time.monotonic() - began,
        )

    def _push_part(self, source: StoredSource, grant: PartGrant) -> None:
        brought, whole = source.bring(grant.part.index), source.stat
        if as_sum(brought.part) != grant.part:
            raise _changed(whole)
        _check_alive(grant, whole.uri)
        self._client.write_part(grant, whole.uri, brought.content)

    def _push_one(self, grant: WriteGrant, number: int, meter: Meter, throttle: Throttle) -> int:
        size = grant.intent.measure.source.size_bytes
        sent = False
        if grant.needed:
            _check_alive(grant, grant.intent.target)
            with translated(self._translate, grant.intent.target), meter.sending(number, size):
                sent = self._client.write(grant, self._proven(grant.intent.measure, throttle))
        meter.add(objects=1, size_bytes=size)
        return size if sent else 0

    def _proven(self, measure: Measure, throttle: Throttle) -> Iterator[bytes]:
        """Yield the object's bytes, the last of them only once all are known to be what was measured."""
        source, kept_back = measure.source, b""
        hashes = Hashes(source.size_bytes)
        with translated(self._translate, source.uri):
            for piece in throttle.paced(self._store.read(source)):
                hashes.feed(piece)
                if kept_back:
                    yield kept_back
                kept_back = piece
            read = Known(hashes.size_bytes, to_base64(hashes.crc32c), hashes.sha256)
            if not read.matches(Known(source.size_bytes, measure.crc32c, measure.sha256)):
                raise _changed(source)
        yield kept_back


def _check_alive(grant: WriteGrant | PartGrant, ref: str) -> None:
    now = datetime.now(UTC)
    if now >= grant.expires_at:
        raise expired(ref, grant.expires_at, now)


def _changed(source: ObjectStat) -> Exception:
    told = f"{source.uri} is not what was measured before"
    return failure(ErrorKind.SOURCE_CHANGED, told, ErrorDetail(ref=source.uri))
