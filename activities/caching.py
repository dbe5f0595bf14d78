"""Results of stages by fingerprint, as small objects of any store: `runs/cache/<fingerprint>.json`."""

from pydantic import ValidationError
from temporalio import activity

from activities.guard import Translate, guarded
from activities.store import Store, put_small
from contracts.caching import CacheActivities, FindRequest, Found, KeepRequest, Kept

_OWNER = "cache"
_LIMIT_BYTES = 1024 * 1024
"""Ours are some kilobytes; something larger was put there by others."""


class StoreCacheActivities(CacheActivities):
    """What `contracts.caching` promises, by one store and the rights of this worker."""

    def __init__(self, store: Store, translate: Translate) -> None:
        self._store = store
        self._translate = translate

    @activity.defn(name="cache.keep")
    def keep(self, request: KeepRequest) -> Found:
        """See the contract."""
        uri = self._uri(request.fingerprint)
        with guarded(self._translate, uri):
            content = request.kept.model_dump_json().encode()
            put_small(self._store, uri, content, owner=_OWNER, media_type="application/json")
        return Found(kept=request.kept)

    @activity.defn(name="cache.find")
    def find(self, request: FindRequest) -> Found:
        """See the contract."""
        uri = self._uri(request.fingerprint)
        with guarded(self._translate, uri):
            held = self._store.stat(uri)
            if held is None or held.size_bytes > _LIMIT_BYTES:
                return Found()
            content = b"".join(self._store.read(held))
        try:
            return Found(kept=Kept.model_validate_json(content))
        except ValidationError:
            # A later version's, or not ours: what cannot be read is not there.
            return Found()

    def _uri(self, fingerprint: str) -> str:
        return f"{self._store.default_container}runs/cache/{fingerprint}.json"
