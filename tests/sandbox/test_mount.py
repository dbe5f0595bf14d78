from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.servers.mount import Mount, MountedStore
from sandbox.servers.stores import StoreError

MOUNT = Mount(point="/gcs", scheme="gs")


class MemoryStores:
    """The part of `Stores` a mount uses, over a dictionary."""

    def __init__(self, **objects: str) -> None:
        self.objects = {f"gs://bucket/{name}": text for name, text in objects.items()}

    def exists(self, uri: str) -> bool:
        return uri in self.objects

    def fetch_file(self, uri: str, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.objects[uri])
        return path

    def fetch_folder(self, uri: str, folder: Path, between: Callable[[], None]) -> list[Path]:
        found = [name for name in self.objects if name.startswith(uri)]
        return [self.fetch_file(name, folder / name.removeprefix(uri)) for name in found]

    def deliver_file(self, path: Path, uri: str) -> None:
        self.objects[uri] = path.read_text()


def mounted(folder: Path, stores: MemoryStores) -> MountedStore:
    return MountedStore(MOUNT, folder, stores)  # type: ignore[arg-type]


def fetched(folder: Path, stores: MemoryStores, *texts: str) -> list[str]:
    mounted(folder, stores).fetch(texts)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/gcs/bucket/in/", ["bucket/in/a", "bucket/in/sub/b"]),
        ("/gcs/bucket/in", ["bucket/in/a", "bucket/in/sub/b"]),
        ("/gcs/bucket/in/a", ["bucket/in/a"]),
        ("--data=/gcs/bucket/in/a", ["bucket/in/a"]),
        ("cat '/gcs/bucket/in/a'; echo $(wc /gcs/bucket/other)", ["bucket/in/a", "bucket/other"]),
        ("/gcs/bucket/in/a:/gcs/bucket/other", ["bucket/in/a", "bucket/other"]),
        ("/data/gcs/bucket/in/a gs://bucket/in/a", []),
    ],
)
def test_what_a_text_names_is_fetched(tmp_path: Path, text: str, expected: list[str]) -> None:
    stores = MemoryStores(**{"in/a": "1", "in/sub/b": "2", "inside": "3", "other": "4"})
    assert fetched(tmp_path, stores, text) == expected


def test_a_script_s_own_names_are_fetched_too(tmp_path: Path) -> None:
    stores = MemoryStores(
        **{"run.sh": "sh /gcs/bucket/next.sh", "next.sh": "cat /gcs/bucket/data", "data": "x"}
    )
    assert fetched(tmp_path, stores, "/gcs/bucket/run.sh") == [
        "bucket/data",
        "bucket/next.sh",
        "bucket/run.sh",
    ]


def test_a_folder_that_holds_nothing_yet_exists(tmp_path: Path) -> None:
    fetched(tmp_path, MemoryStores(), "/gcs/bucket/out/model/", "/gcs/bucket/made/file")
    assert (tmp_path / "bucket/out/model").is_dir()
    assert (tmp_path / "bucket/made").is_dir()
    assert not (tmp_path / "bucket/made/file").exists()


def test_only_what_is_new_or_changed_is_delivered(tmp_path: Path) -> None:
    stores = MemoryStores(**{"in/kept": "same", "in/changed": "before"})
    store = mounted(tmp_path, stores)
    store.fetch(["/gcs/bucket/in/ /gcs/bucket/out/"])
    store.remember()
    stores.objects.clear()
    (tmp_path / "bucket/in/changed").write_text("after")
    (tmp_path / "bucket/out/new").write_text("fresh")
    assert store.deliver() == 2
    assert stores.objects == {"gs://bucket/in/changed": "after", "gs://bucket/out/new": "fresh"}


@pytest.mark.parametrize("text", ["/gcs/bucket", "/gcs/bucket/", "/gcs/bucket/../../etc/passwd"])
def test_a_whole_bucket_or_a_way_out_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(StoreError):
        fetched(tmp_path, MemoryStores(), text)
