"""How containers are guarded, as the store tells whoever looks for them: asked only where a policy demands something."""

from temporalio.exceptions import ApplicationError

from activities.guard import Translate, translated
from activities.store import Store
from contracts.connections import PreflightRequest
from contracts.policy import StoreFacts


def facts_of(store: Store, request: PreflightRequest, translate: Translate) -> tuple[StoreFacts, ...]:
    """Return what the store says of each container of a request; nothing where nobody asks.

    What it does not say, or may not be asked, is None. It takes no right that the preflight does not take.
    """
    if not request.facts:
        return ()
    wished = (uri for wish in request.wishes.values() for uri in wish.containers)
    uris = dict.fromkeys((store.default_container, *request.containers, *wished))
    return tuple(_of(store, uri, translate) for uri in uris)


def _of(store: Store, uri: str, translate: Translate) -> StoreFacts:
    try:
        with translated(translate, uri):
            found = store.ensure_container(uri, create=False)
    except ApplicationError as error:
        if not error.non_retryable:
            raise
        return StoreFacts(uri=uri)
    return StoreFacts(
        uri=uri,
        encryption=found.encryption or ("provider" if found.encrypted else None),
        public_access_blocked=found.public_access_blocked,
    )
