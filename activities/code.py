"""Publishing a stage's code as plain files over any store."""

import hashlib
from functools import partial

from temporalio import activity

from activities.guard import Translate, guarded
from activities.parallel import Stop, for_each
from activities.store import Store, put_small
from contracts.code import CodeActivities, CodeRef, PublishRequest
from contracts.errors import ErrorDetail, ErrorKind, failure

_OWNER = "code"


class StoreCodeActivities(CodeActivities):
    """What `contracts.code` promises, by one store and the rights of this worker."""

    def __init__(self, store: Store, translate: Translate) -> None:
        self._store = store
        self._translate = translate

    @activity.defn(name="code.publish", no_thread_cancel_exception=True)
    def publish(self, request: PublishRequest) -> CodeRef:
        """See the contract."""
        bundle = request.bundle
        uri = f"{self._store.default_container}code/{bundle.digest}/"
        with guarded(self._translate, uri):
            try:
                files = bundle.files()
            except (ValueError, OSError, EOFError) as error:
                raise failure(ErrorKind.INVALID_REQUEST, str(error), ErrorDetail(ref=uri)) from None
            for_each(partial(self._put, uri), list(files.items()))
        return CodeRef(uri=uri, digest=bundle.digest)

    def _put(self, prefix: str, file: tuple[str, bytes], stop: Stop) -> None:
        name, content = file
        stop.check()
        sha256 = hashlib.sha256(content).hexdigest()
        held = self._store.stat(prefix + name)
        if held and held.size_bytes == len(content) and held.sha256 == sha256:
            return
        # The prefix is the content's digest, so whatever else lies there is damage that may be replaced.
        put_small(self._store, prefix + name, content, owner=_OWNER)
