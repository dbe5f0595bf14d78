"""Every store keeps what stages left under their fingerprints."""

import hashlib
import uuid
from typing import Any

from activities.store import put_small
from contracts.artifacts import Artifact
from contracts.caching import FindRequest, KeepRequest, Kept


def kept(run_id: str) -> Kept:
    artifact = Artifact(uri="s3://b/x/", kind="folder", size_bytes=5, object_count=1, digest="d" * 64)
    return Kept(run_id=run_id, outputs={"model": artifact}, metrics={"auc": 0.5})


def fingerprint() -> str:
    return hashlib.sha256(uuid.uuid4().bytes).hexdigest()


def test_what_is_kept_is_found_and_the_last_one_holds(room: Any) -> None:
    mark = fingerprint()
    for run_id in ("p/first", "p/second"):
        room.activity("cache.keep")(KeepRequest(fingerprint=mark, kept=kept(run_id)))
    assert room.activity("cache.find")(FindRequest(fingerprint=mark)).kept == kept("p/second")
    assert room.activity("cache.find")(FindRequest(fingerprint=fingerprint())).kept is None


def test_what_is_not_ours_is_not_there(room: Any) -> None:
    mark = fingerprint()
    uri = f"{room.store.default_container}runs/cache/{mark}.json"
    put_small(room.store, uri, b"<html>", owner="somebody")
    assert room.activity("cache.find")(FindRequest(fingerprint=mark)).kept is None
    put_small(room.store, uri, b" " * (1024 * 1024 + 1), owner="somebody")
    assert room.activity("cache.find")(FindRequest(fingerprint=mark)).kept is None
