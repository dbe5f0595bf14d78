"""What a worker mints grants for, and how many of them travel at once."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.granting import Minter
from activities.grants import AllowList
from activities.onprem.store import FileStore
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorKind
from contracts.grants import GRANT_LIFE, GRANTS_LIMIT_BYTES, ReadGrant

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def stat(uri: str) -> ObjectStat:
    return ObjectStat(uri=uri, size_bytes=10, etag="one")


@pytest.mark.parametrize(
    ("prefixes", "uri"),
    [
        ((), "s3://own/any/thing"),
        (("s3://own/data/",), "s3://own/data/x"),
        (("s3://own/data",), "s3://own/data/x"),
        (("s3://own/data",), "s3://own/data"),
        (("s3://own",), "s3://own/x"),
        (("gs://other/", "s3://own/"), "s3://own/x"),
    ],
)
def test_an_object_under_the_allow_list_is_granted(prefixes: tuple[str, ...], uri: str) -> None:
    AllowList.of(prefixes, "s3://own/").check(uri)


@pytest.mark.parametrize(
    ("prefixes", "uri"),
    [
        ((), "s3://other/x"),
        ((), "gs://own/x"),
        ((), "s3://own/"),
        ((), "s3://own/a/../../other/x"),
        ((), "s3://own/./x"),
        (("s3://own/data/",), "s3://own/data-secret/x"),
        (("s3://own/data",), "s3://own/data-secret"),
        (("s3://own/data/",), "s3://own/data/../secret"),
        (("s3://own/data/",), "s3://own/x"),
        (("s3://own",), "s3://own-secret/x"),
    ],
)
def test_an_object_outside_the_allow_list_is_not_whoever_asks(prefixes: tuple[str, ...], uri: str) -> None:
    with pytest.raises(ApplicationError) as raised:
        AllowList.of(prefixes, "s3://own/").check(uri)
    assert (raised.value.type, raised.value.non_retryable) == (ErrorKind.ACCESS_DENIED, True)


class Signing(FileStore):
    """A store that says what it was asked to sign."""

    def sign_read(self, source: ObjectStat, life: timedelta, *, bare: bool = False) -> ReadGrant:
        return ReadGrant(
            source=source,
            url="https://storage.googleapis.com/x",
            expires_at=LATER,
            headers={"life": str(life)},
        )


def test_a_grant_lives_no_longer_than_the_limit_whatever_is_asked(tmp_path: Path) -> None:
    minter = Minter(Signing(tmp_path, "file:///c/"), AllowList(("file:///c/",)))
    minted = minter.reads([stat("file:///c/x")], timedelta(days=7)).grants[0]
    assert minted.headers["life"] == str(GRANT_LIFE)


def test_one_object_outside_the_allow_list_spoils_the_whole_request(tmp_path: Path) -> None:
    minter = Minter(Signing(tmp_path, "file:///c/"), AllowList(("file:///c/",)))
    with pytest.raises(ApplicationError) as raised:
        minter.reads([stat("file:///c/x"), stat("file:///d/x")], GRANT_LIFE)
    assert raised.value.type == ErrorKind.ACCESS_DENIED


def test_a_read_of_a_store_that_nobody_outside_reaches_is_not_minted(tmp_path: Path) -> None:
    minter = Minter(Signing(tmp_path, "file:///c/"), AllowList(("file:///c/",), reads=False))
    with pytest.raises(ApplicationError, match="--push") as raised:
        minter.reads([stat("file:///c/x")], GRANT_LIFE)
    assert (raised.value.type, raised.value.non_retryable) == (ErrorKind.UNSUPPORTED, True)


def test_as_many_of_the_first_grants_travel_as_one_payload_takes(tmp_path: Path) -> None:
    minter = Minter(Signing(tmp_path, "file:///c/"), AllowList(("file:///c/",)))
    # Names that no compression shortens.
    asked = [stat(f"file:///c/{os.urandom(450).hex()}{number}") for number in range(600)]
    minted = minter.reads(asked, GRANT_LIFE)
    assert 1 <= len(minted.grants) < 600
    assert [grant.source for grant in minted.grants] == asked[: len(minted.grants)]
    assert len(minted.model_dump_json()) <= GRANTS_LIMIT_BYTES + 100


def test_a_grant_that_no_payload_takes_is_refused(tmp_path: Path) -> None:
    minter = Minter(Signing(tmp_path, "file:///c/"), AllowList(("file:///c/",)))
    with pytest.raises(ApplicationError) as raised:
        minter.reads([stat(f"file:///c/{os.urandom(GRANTS_LIMIT_BYTES).hex()}")], GRANT_LIFE)
    assert raised.value.type == ErrorKind.INVALID_REQUEST
