"""The root folder's walls, and what the operating system's errors mean."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.onprem.errors import translate
from activities.onprem.files import Metadata, Publisher
from activities.onprem.settings import OnpremSettings
from activities.onprem.store import FileStore
from activities.settings import SettingsError
from activities.store import put_small
from contracts.errors import ErrorKind
from tests.objects import put


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    inside = tmp_path / "root"
    (inside / "data").mkdir(parents=True)
    (inside / "data" / "file").write_text("data")
    (inside / "data" / "way-out").symlink_to(tmp_path / "outside")
    (inside / "data" / "link-out").symlink_to(tmp_path / "outside" / "secret")
    (inside / "data" / "link-in").symlink_to(inside / "data" / "file")
    return inside


@pytest.fixture
def store(root: Path) -> FileStore:
    return FileStore(root, "file:///causeway/")


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("file:///../outside/secret", ErrorKind.INVALID_REQUEST),
        ("file:///data/../../outside/secret", ErrorKind.INVALID_REQUEST),
        ("file:///data/./file", ErrorKind.INVALID_REQUEST),
        ("file:///data//file", ErrorKind.INVALID_REQUEST),
        ("file:////etc/passwd", ErrorKind.INVALID_REQUEST),
        ("file:///data/", ErrorKind.INVALID_REQUEST),
        ("file:///", ErrorKind.INVALID_REQUEST),
        ("file:///nul\0byte", ErrorKind.INVALID_REQUEST),
        ("s3://bucket/key", ErrorKind.INVALID_REQUEST),
        ("no uri", ErrorKind.INVALID_REQUEST),
        ("file:///data/way-out/secret", ErrorKind.ACCESS_DENIED),
        ("file:///data/link-out", ErrorKind.ACCESS_DENIED),
        ("file:///.causeway/jobs/x/order.json", ErrorKind.ACCESS_DENIED),
    ],
)
@pytest.mark.parametrize("verb", ["stat", "delete", "put"])
def test_no_name_leads_out_of_the_root(
    store: FileStore, root: Path, uri: str, kind: ErrorKind, verb: str
) -> None:
    attempt = (
        partial(put, store, uri, b"x", replace=True) if verb == "put" else partial(getattr(store, verb), uri)
    )
    with pytest.raises(ApplicationError) as raised:
        attempt()
    assert raised.value.type == kind
    assert (root.parent / "outside" / "secret").read_text() == "secret"


def test_a_listing_shows_what_lies_below_the_root_and_nothing_of_ours(store: FileStore) -> None:
    put(store, "file:///data/own", b"x")
    listed = [stat.uri for stat in store.list("file:///", None, 100).objects]
    assert listed == ["file:///data/file", "file:///data/link-in", "file:///data/own"]


def test_of_an_object_that_was_deleted_no_record_is_left_and_it_can_be_written_again(
    store: FileStore, root: Path
) -> None:
    held = root / ".causeway" / "meta"
    for content in (b"one", b"another"):
        put(store, "file:///data/gone", content)
        assert [path for path in held.rglob("*") if path.is_file()]
        assert store.delete("file:///data/gone")
        assert [path for path in held.rglob("*") if path.is_file()] == []


def test_who_deletes_leaves_the_records_of_who_is_writing(store: FileStore, root: Path) -> None:
    put(store, "file:///data/busy", b"one")
    [record] = [path for path in (root / ".causeway" / "meta").rglob("*") if path.is_file()]
    under_way = record.with_name("of-a-version-that-is-about-to-appear")
    under_way.write_text("{}")
    assert store.delete("file:///data/busy")
    assert list(under_way.parent.iterdir()) == [under_way]


def test_writers_and_who_deletes_do_not_trip_over_each_other(store: FileStore) -> None:
    uri, publisher = "file:///data/shared", Publisher(store.places)
    metadata = Metadata(crc32c="", sha256="", owner="", media_type="")

    def go(number: int) -> None:
        publisher.write(uri, (b"%d" % number,), metadata, replace=True)
        store.delete(uri)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(go, range(200)))


def test_metadata_is_not_told_of_a_file_that_was_changed_by_hand(store: FileStore, root: Path) -> None:
    put(store, "file:///own", b"x", owner="me")
    (root / "own").write_bytes(b"y")
    stat = store.stat("file:///own")
    assert stat is not None
    assert (stat.sha256, stat.owner) == (None, None)


def test_writers_of_one_file_at_once_do_not_trip_over_each_other(store: FileStore) -> None:
    uri, content = "file:///causeway/code/train.py", b"print('trained')"
    with ThreadPoolExecutor(6) as writers:
        written = list(writers.map(lambda _: put_small(store, uri, content, owner="code"), range(120)))
    assert {(stat.sha256, stat.owner) for stat in written} == {(sha256(content).hexdigest(), "code")}


def test_a_write_that_breaks_off_leaves_no_trace(
    store: FileStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as raised:
        put(store, "file:///own", b"x")
    assert translate(raised.value, "file:///own").type == ErrorKind.DISK_FULL
    assert not (root / "own").exists()
    assert list((root / ".causeway" / "drafts").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "kind", "final"),
    [
        (errno.ENOENT, ErrorKind.SOURCE_MISSING, True),
        (errno.EACCES, ErrorKind.ACCESS_DENIED, True),
        (errno.EPERM, ErrorKind.ACCESS_DENIED, True),
        (errno.EROFS, ErrorKind.ACCESS_DENIED, True),
        (errno.ENOSPC, ErrorKind.DISK_FULL, True),
        (errno.EDQUOT, ErrorKind.DISK_FULL, True),
        (errno.EFBIG, ErrorKind.DISK_FULL, True),
        (errno.EEXIST, ErrorKind.TARGET_CONFLICT, True),
        (errno.ENOTEMPTY, ErrorKind.TARGET_CONFLICT, True),
        (errno.EISDIR, ErrorKind.TARGET_CONFLICT, True),
        (errno.ENOTDIR, ErrorKind.TARGET_CONFLICT, True),
        (errno.ENAMETOOLONG, ErrorKind.INVALID_REQUEST, True),
        (errno.EINVAL, ErrorKind.INVALID_REQUEST, True),
        (errno.EILSEQ, ErrorKind.INVALID_REQUEST, True),
        (errno.ELOOP, ErrorKind.INVALID_REQUEST, True),
        (errno.EMFILE, ErrorKind.UNAVAILABLE, False),
        (errno.ENFILE, ErrorKind.UNAVAILABLE, False),
        (errno.EAGAIN, ErrorKind.UNAVAILABLE, False),
        (errno.ENOMEM, ErrorKind.UNAVAILABLE, False),
        (errno.EIO, ErrorKind.UNAVAILABLE, False),
        (errno.ESTALE, ErrorKind.UNAVAILABLE, False),
        (errno.ETIMEDOUT, ErrorKind.UNAVAILABLE, False),
        (errno.EBUSY, ErrorKind.UNAVAILABLE, False),
        (errno.EPIPE, ErrorKind.UNKNOWN, False),
    ],
    ids=lambda value: errno.errorcode.get(value) if type(value) is int else None,
)
def test_an_error_is_known_by_its_number(number: int, kind: ErrorKind, final: bool) -> None:
    error = translate(OSError(number, os.strerror(number), "/secret/path"), "file:///data")
    assert (error.type, error.non_retryable) == (kind, final)
    assert "/secret" not in error.message
    assert "file:///data" in error.message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"CAUSEWAY_ONPREM_ROOT": ""}, "CAUSEWAY_ONPREM_ROOT is not set"),
        ({"CAUSEWAY_ONPREM_ROOT": "/no/such/folder"}, "CAUSEWAY_ONPREM_ROOT is wrong"),
        ({"CAUSEWAY_ONPREM_ROOT": "relative"}, "CAUSEWAY_ONPREM_ROOT is wrong"),
        ({"CAUSEWAY_CONTAINER": ""}, "CAUSEWAY_CONTAINER is not set"),
        ({"CAUSEWAY_CONTAINER": "a/b"}, "CAUSEWAY_CONTAINER is wrong"),
        ({"CAUSEWAY_GRANT_ALLOW": "ftp://x/"}, "CAUSEWAY_GRANT_ALLOW is wrong"),
        ({"CAUSEWAY_CONNECTION": "Not A Name"}, "CAUSEWAY_CONNECTION is wrong"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named(root: Path, changes: dict[str, str], named: str) -> None:
    environment = {"CAUSEWAY_ONPREM_ROOT": str(root), "CAUSEWAY_CONTAINER": "causeway", **changes}
    with pytest.raises(SettingsError) as raised:
        OnpremSettings.from_mapping(environment)
    assert named in str(raised.value)
    assert "\n" not in str(raised.value)
