"""Sending objects through write grants, from a store that nobody outside can read."""

import time
from collections.abc import Iterator
from functools import partial

from activities.checksums import Hashes
from activities.grant_client import GrantClient
from activities.guard import Translate, translated
from activities.known import Known
from activities.parallel import Stop, for_each
from activities.progress import Meter
from activities.store import Store
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import Measure, WriteGrant
from contracts.storage import PushReceipt


class Pusher:
    """Pushes batches out of one store; it neither lists nor commits at the destination."""

    def __init__(self, store: Store, client: GrantClient, translate: Translate) -> None:
        self._store = store
        self._client = client
        self._translate = translate

    def push(self, grants: tuple[WriteGrant, ...], meter: Meter) -> PushReceipt:
        """Send each object that is needed; `storage.push` states the promise.

        Raises:
            ApplicationError: the first that any object met; the others have stopped.
            CancelledError: the activity was cancelled.
        """
        started = time.monotonic()
        sent = for_each(partial(self._push_one, meter), grants)
        return PushReceipt(bytes_sent=sum(sent), seconds=time.monotonic() - started)

    def _push_one(self, meter: Meter, grant: WriteGrant, stop: Stop) -> int:
        size_bytes = grant.intent.measure.source.size_bytes
        sent = grant.needed and self._send(grant, stop, meter)
        if not sent:
            meter.add(size_bytes=size_bytes)
        meter.add(objects=1)
        return size_bytes if sent else 0

    def _send(self, grant: WriteGrant, stop: Stop, meter: Meter) -> bool:
        with translated(self._translate, grant.intent.target):
            return self._client.write(grant, self._proven(grant.intent.measure, stop, meter))

    def _proven(self, measure: Measure, stop: Stop, meter: Meter) -> Iterator[bytes]:
        """Yield the object's bytes, the last of them only once all are known to be what was measured."""
        source, hashes, kept_back = measure.source, Hashes(), b""
        with translated(self._translate, source.uri):
            for piece in self._store.read(source):
                stop.check()
                hashes.feed(piece)
                if kept_back:
                    yield kept_back
                    meter.add(size_bytes=len(kept_back))
                kept_back = piece
            measured = Known(source.size_bytes, measure.crc32c, measure.sha256)
            if not Known.hashed(hashes).matches(measured):
                told = f"{source.uri} is not what was measured before"
                raise failure(ErrorKind.SOURCE_CHANGED, told, ErrorDetail(ref=source.uri))
        yield kept_back
        meter.add(size_bytes=len(kept_back))
