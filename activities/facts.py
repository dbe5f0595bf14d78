"""How containers are guarded, as the store tells whoever looks for them: asked only where a policy demands something."""

import threading
import time
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from activities.guard import Translate, translated
from activities.store import Store
from contracts.connections import PreflightRequest
from contracts.errors import ErrorKind
from contracts.policy import StoreFacts

LIFE = timedelta(minutes=1)
"""How long an answer is believed: a bucket that is opened to the public is known as such this much later."""
KEPT = 1000


class Containers:
    """What one connection's store says of its containers; the answer is kept for a minute. Safe across threads."""

    def __init__(self, store: Store, translate: Translate, life: timedelta = LIFE) -> None:
        """Ask this store."""
        self._store = store
        self._translate = translate
        self._life = life.total_seconds()
        self._lock = threading.Lock()
        self._held: dict[tuple[str, bool], tuple[float, StoreFacts]] = {}

    def of(self, uri: str, *, tls: bool = False) -> StoreFacts | None:
        """Return what the store says of a container, of TLS only if asked; None where there is none.

        Raises:
            ApplicationError: the store cannot be asked now; to be tried again.
        """
        with self._lock:
            ends, held = self._held.get((uri, tls), (0.0, None))
        if held and time.monotonic() < ends:
            return held
        found = _looked_at(self._store, uri, self._translate, tls=tls)
        with self._lock:
            if len(self._held) >= KEPT:
                self._held.clear()
            if found:
                self._held[uri, tls] = time.monotonic() + self._life, found
        return found


def facts_of(store: Store, request: PreflightRequest, translate: Translate) -> tuple[StoreFacts, ...]:
    """Return what the store says of each container of a request; nothing where nobody asks.

    What it does not say, or may not be asked, is None. But for TLS it takes no right that the preflight does not take.
    """
    if not request.facts:
        return ()
    wished = (uri for wish in request.wishes.values() for uri in wish.containers)
    uris = dict.fromkeys((store.default_container, *request.containers, *wished))
    return tuple(_looked_at(store, uri, translate, tls=request.tls) or StoreFacts(uri=uri) for uri in uris)


def _looked_at(store: Store, uri: str, translate: Translate, *, tls: bool) -> StoreFacts | None:
    try:
        with translated(translate, uri):
            found = store.ensure_container(uri, create=False)
            refuses_plain = store.refuses_plain(uri) if tls else None
    except ApplicationError as error:
        if not error.non_retryable:
            raise
        return None if error.type == ErrorKind.SOURCE_MISSING else StoreFacts(uri=uri)
    return StoreFacts(
        uri=uri,
        region=found.region,
        encryption=found.encryption or ("provider" if found.encrypted else None),
        public_access_blocked=found.public_access_blocked,
        tls_required=refuses_plain,
    )
