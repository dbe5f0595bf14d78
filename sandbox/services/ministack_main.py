"""Runs ministack, in its own environment, with three of its ways changed.

It saves bucket settings but drops unfinished uploads, which the real S3 would keep while it is away: here they survive
an orderly stop. It computes CRC32C in pure Python, at 9 MB/s: here Google's library does, with the same result. And for
each range of an object it reads the whole file, so that 1 GiB in 64 parts cost 64 GiB: here it maps the file.
Only this file is run by ministack's interpreter; it imports nothing of ours.
"""

from __future__ import annotations

import mmap
import os
import pickle
from pathlib import Path
from typing import Any

import google_crc32c  # type: ignore[import-untyped,unused-ignore]
from ministack.app import main  # type: ignore[import-not-found,unused-ignore]
from ministack.services import s3  # type: ignore[import-not-found,unused-ignore]

SAVED = Path(os.environ["STATE_DIR"]) / "uploads.pickle"
MAPPED_BYTES = 32 * 1024 * 1024


def keep_uploads() -> None:
    """Bring back the uploads of the last stop, and save them whenever ministack saves its buckets."""
    if SAVED.exists():
        # Our own file, in a folder of ours that only this user can write.
        s3._multipart_uploads._data.update(pickle.loads(SAVED.read_bytes()))  # noqa: S301
        SAVED.unlink()
    save_buckets = s3.get_state

    def save() -> Any:
        SAVED.parent.mkdir(parents=True, exist_ok=True)
        draft = SAVED.with_suffix(".draft")
        draft.write_bytes(pickle.dumps(s3._multipart_uploads._data))
        draft.replace(SAVED)
        return save_buckets()

    s3.get_state = save


def map_ranges() -> None:
    """Have the answer to a range read no more of a large file than the range."""
    get_object, read_body = s3._get_object, s3._read_body
    asked: list[bool] = []

    def mapped(bucket: str, key: str, found: Any) -> Any:
        path = s3._object_disk_path(bucket, key) if asked and found.get("body") is None else None
        if path is None or not os.path.isfile(path) or os.path.getsize(path) < MAPPED_BYTES:
            return read_body(bucket, key, found)
        with open(path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def answered(*arguments: Any, **more: Any) -> Any:
        asked.append(True)
        try:
            status, headers, body = get_object(*arguments, **more)
        finally:
            asked.pop()
        return status, headers, bytes(body) if isinstance(body, mmap.mmap) else body

    s3._get_object, s3._read_body = answered, mapped


if __name__ == "__main__":
    keep_uploads()
    map_ranges()
    s3._crc32c = google_crc32c.value
    main()
