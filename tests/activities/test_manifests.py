"""Accounts of batches that become one manifest."""

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from activities.accounts import Accounts
from activities.manifests import Manifests
from activities.onprem.store import FileStore
from contracts.artifacts import ManifestEntry, ObjectStat, folder_artifact
from contracts.copies import ObjectReceipt
from contracts.errors import ErrorKind
from contracts.storage import ManifestReceipt, ManifestRequest
from tests.objects import put

ROOT = "file:///.causeway/manifests/run/"
PREFIX = "s3://bucket/out/"
NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=20)


def receipt(name: str, content: bytes = b"x") -> ObjectReceipt:
    stat = ObjectStat(uri=PREFIX + name, size_bytes=len(content), etag="e")
    sha256 = hashlib.sha256(content).hexdigest()
    return ObjectReceipt(target=stat, sha256=sha256, bytes_sent=1, verified="end_to_end")


def request(key: str = "k") -> ManifestRequest:
    return ManifestRequest(accounts=f"{ROOT}{key}/", prefix=PREFIX, target=f"{ROOT}{key}.tsv", owner="run/k")


def entry(held: ObjectReceipt) -> ManifestEntry:
    return ManifestEntry(
        name=held.target.uri.removeprefix(PREFIX), size_bytes=held.target.size_bytes, sha256=held.sha256
    )


def published(store: FileStore, batches: list[list[ObjectReceipt]], key: str = "k") -> ManifestReceipt:
    manifests = Manifests(store)
    for batch in batches:
        manifests.leave(f"{ROOT}{key}/", batch)
    return manifests.publish(request(key))


# Files take the time that a busy disk gives them.
@settings(deadline=None)
@given(names=st.lists(NAMES, min_size=1, max_size=30, unique=True), data=st.data())
def test_the_folder_is_what_its_entries_say(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject
) -> None:
    store = FileStore(tmp_path_factory.getbasetemp(), "file:///c/")
    receipts = [receipt(name, name.encode()) for name in names]
    cut = data.draw(st.integers(0, len(names)))
    batches = [batch for batch in (receipts[:cut], receipts[cut:]) if batch]
    found = published(store, batches, uuid.uuid4().hex)
    assert found.folder == folder_artifact(PREFIX, map(entry, receipts))


def test_publishing_twice_is_publishing_once(tmp_path: Path) -> None:
    store = FileStore(tmp_path, "file:///c/")
    first = published(store, [[receipt("a")], [receipt("b")]])
    assert store.list(f"{ROOT}k/", None, 10).objects == ()
    assert Manifests(store).publish(request()) == first


def test_an_object_that_two_batches_tell_of_counts_once(tmp_path: Path) -> None:
    found = published(FileStore(tmp_path, "file:///c/"), [[receipt("a"), receipt("b")], [receipt("b")]])
    assert found.folder.object_count == 2


class Dying(FileStore):
    """A store whose worker dies when it has removed one account."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "file:///c/")
        self.life = 1

    def delete(self, uri: str) -> bool:
        self.life -= 1
        if self.life < 0:
            raise ConnectionError("gone")
        return super().delete(uri)


def test_a_death_amid_the_removal_of_accounts_costs_the_manifest_nothing(tmp_path: Path) -> None:
    store = Dying(tmp_path)
    batches = [[receipt(name)] for name in "abc"]
    with pytest.raises(ConnectionError):
        published(store, batches)
    assert len(store.list(f"{ROOT}k/", None, 10).objects) == 2
    store.life = 9
    again = Manifests(store).publish(request())
    assert again.folder == folder_artifact(PREFIX, [entry(held) for batch in batches for held in batch])
    assert store.list(f"{ROOT}k/", None, 10).objects == ()


def test_accounts_that_tell_of_more_than_a_manifest_replace_it(tmp_path: Path) -> None:
    store = FileStore(tmp_path, "file:///c/")
    published(store, [[receipt("a")]])
    found = published(store, [[receipt("a"), receipt("b")]])
    assert found.folder.object_count == 2


def test_a_second_transfer_of_fewer_objects_leaves_none_of_the_first_in_the_manifest(tmp_path: Path) -> None:
    store = FileStore(tmp_path, "file:///c/")
    published(store, [[receipt("a"), receipt("stray")]])
    assert published(store, [[receipt("a")]]).folder.object_count == 1


class Watching(FileStore):
    """A store that counts the accounts that were read whole."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "file:///c/")
        self.opened = 0

    def read(self, source: ObjectStat, start: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        self.opened += size_bytes is None
        return super().read(source, start, size_bytes)


def test_an_account_is_read_only_when_it_is_its_turn(tmp_path: Path) -> None:
    store = Watching(tmp_path)
    accounts = Accounts(store)
    for number in range(20):
        accounts.leave(f"{ROOT}k/", [receipt(f"{number:02}-{letter}") for letter in "ab"])
    merged = accounts.merged(accounts.below(f"{ROOT}k/"), PREFIX)
    opened = [store.opened for _ in merged]
    # One name is read ahead, to see whether it comes again.
    assert opened == [min(20, 1 + (index + 1) // 2) for index in range(40)]


def brought(content: bytes) -> ObjectReceipt:
    stat = ObjectStat(uri="file:///out/a", size_bytes=len(content), etag="e")
    sha256 = hashlib.sha256(content).hexdigest()
    return ObjectReceipt(target=stat, sha256=sha256, bytes_sent=1, verified="end_to_end")


def test_of_an_object_that_was_brought_again_the_content_that_lies_there_counts(tmp_path: Path) -> None:
    store = FileStore(tmp_path, "file:///c/")
    put(store, "file:///out/a", b"after")
    asked = request().model_copy(update={"prefix": "file:///out/"})
    manifests = Manifests(store)
    for content in (b"before", b"after", b"before"):
        manifests.leave(f"{ROOT}k/", [brought(content)])
    sha256 = hashlib.sha256(b"after").hexdigest()
    entries = [ManifestEntry(name="a", size_bytes=5, sha256=sha256)]
    assert manifests.publish(asked).folder == folder_artifact("file:///out/", entries)


def test_a_digest_that_a_store_vouched_for_gives_way_to_that_of_the_content(tmp_path: Path) -> None:
    store = FileStore(tmp_path, "file:///c/")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").write_bytes(b"nobody noted a digest")
    read = brought(b"nobody noted a digest")
    vouched = read.model_copy(update={"sha256": "0" * 64})
    found = Manifests(store)
    for told in (vouched, read):
        found.leave(f"{ROOT}k/", [told])
    publish = ManifestRequest(
        accounts=f"{ROOT}k/", prefix="file:///out/", target=f"{ROOT}k.tsv", owner="run/k"
    )
    entries = [ManifestEntry(name="a", size_bytes=21, sha256=read.sha256)]
    assert found.publish(publish).folder == folder_artifact("file:///out/", entries)


def test_two_contents_under_one_name_of_which_neither_lies_there_are_no_folder(tmp_path: Path) -> None:
    store = FileStore(tmp_path, "file:///c/")
    put(store, "file:///out/a", b"something else")
    manifests = Manifests(store)
    for content in (b"before", b"after"):
        manifests.leave(f"{ROOT}k/", [brought(content)])
    with pytest.raises(ApplicationError) as raised:
        manifests.publish(request().model_copy(update={"prefix": "file:///out/"}))
    assert raised.value.type == ErrorKind.SOURCE_CHANGED


def test_nothing_accounted_for_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError) as raised:
        Manifests(FileStore(tmp_path, "file:///c/")).publish(request())
    assert raised.value.type == ErrorKind.SOURCE_MISSING


def test_manifests_are_no_objects_of_the_root(tmp_path: Path) -> None:
    store = FileStore(tmp_path, "file:///c/")
    published(store, [[receipt("a")]])
    assert store.list("file:///", None, 10).objects == ()
