"""What the contract suites of stores share: content, how it is put and read, and how a refusal is judged."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.store import Store
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorKind
from tests import objects

OWNER = "0123456789abcdef0123456789abcdef/contract"


NAMES = (
    "plain.csv",
    "with space",
    "100%",
    "a%20b",
    "one+one",
    "what?#&=.txt",
    "überß-☃",
    "it's",
    "deep/er/x",
)


@contextmanager
def refused(kind: ErrorKind, translate: Callable[[BaseException, str], ApplicationError]) -> Any:
    with pytest.raises(Exception) as raised:  # noqa: PT011 (the provider's own error is as good as ours)
        yield
    assert translate(raised.value, "here").type == kind


def put(store: Store, uri: str, content: bytes, *, replace: bool = False, owner: str = OWNER) -> ObjectStat:
    return objects.put(store, uri, content, owner=owner, media_type="text/csv", replace=replace)


def content_of(store: Store, uri: str) -> bytes:
    stat = store.stat(uri)
    assert stat is not None
    return b"".join(store.read(stat))
