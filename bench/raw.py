"""The ceiling: the same bytes moved by the vendors' own SDKs, a few parts at once, without grants, checksums or resumption."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.ends import CONTAINER, S3, Blobs, End, Files, Objects, blob_container, gcs_bucket, s3_client
from bench.ground import Ground

PART_BYTES = 16 * 2**20
AT_ONCE = 16
"""Requests at once where nothing is measured."""


class RawStores:
    """Copies between the ends, by URI."""

    def __init__(self, ground: Ground) -> None:
        """Open one client for each store."""
        s3 = self._s3 = s3_client(ground)
        self._ends: dict[str, End] = {
            "s3://causeway/": S3(s3, CONTAINER),
            "s3://second/": S3(s3, "second"),
            "az://causeway/": Blobs(blob_container(ground)),
            "gs://causeway/": Objects(gcs_bucket(ground)),
            "file:///": Files(ground.onprem),
        }

    def make_bucket(self, name: str) -> None:
        """Have one more bucket of S3's."""
        self._s3.create_bucket(Bucket=name)

    def seed(self, prefix: str, name: str, size_bytes: int, count: int) -> None:
        """Lay objects of random content; a name that ends in `/` gets `count` of them below it."""
        block = os.urandom(min(size_bytes, PART_BYTES))
        content = block * (size_bytes // len(block))
        end, below = self._end(prefix)
        names = [f"{name}{number:05}" for number in range(count)] if name.endswith("/") else [name]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda one: end.put(below + one, content), names))

    def clear(self, prefix: str) -> None:
        """Remove all that begins so."""
        end, below = self._end(prefix)
        end.delete(list(end.sizes(below)))

    def copy(self, source: str, target: str, streams: int) -> float:
        """Copy an object, or all below a prefix, by parallel reads and writes; return the seconds."""
        began = time.perf_counter()
        (whence, below), (where, into) = self._end(source), self._end(target)
        sizes = whence.sizes(below)
        names = {name: into + name.removeprefix(below) for name in sizes}
        uploads = {name: where.begin(names[name]) for name in sizes}
        pieces = [
            (name, index, start, min(PART_BYTES, size - start))
            for name, size in sizes.items()
            for index, start in enumerate(range(0, size, PART_BYTES))
        ]

        def move(piece: tuple[str, int, int, int]) -> Any:
            name, index, start, size = piece
            return where.write(names[name], uploads[name], index, whence.read(name, start, size))

        with ThreadPoolExecutor(streams) as pool:
            done = list(pool.map(move, pieces))
        for name, upload in uploads.items():
            marks = [mark for mark, piece in zip(done, pieces, strict=True) if piece[0] == name]
            where.finish(names[name], upload, marks)
        return time.perf_counter() - began

    def _end(self, uri: str) -> tuple[End, str]:
        root = next(root for root in self._ends if uri.startswith(root))
        return self._ends[root], uri.removeprefix(root)
