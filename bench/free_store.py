"""A store that costs nothing: an S3 that serves one endless object and throws away what it is sent, but not its checksums.

It lets the CPU and the memory of whoever copies be measured without a real store in the way. `python -m bench.free_store
PORT SIZE...` serves `source/<SIZE>`; everything written to other buckets is remembered by size and checksum only.
"""

import sys
import tempfile
import threading
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO
from urllib.parse import parse_qs, unquote, urlsplit

_CHUNK_BYTES = 1024 * 1024
_ETAG = '"d41d8cd98f00b204e9800998ecf8427e-1"'
_NOW = formatdate(usegmt=True)


@dataclass
class Held:
    """An object, or an upload on its way."""

    size_bytes: int = 0
    parts: dict[int, tuple[int, str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    tags: str = ""


class State:
    """What was written, without its bytes."""

    def __init__(self, file: IO[bytes], sizes: dict[str, int]) -> None:
        """Serve these objects out of one sparse file."""
        self.file = file
        self.lock = threading.Lock()
        self.objects = {path: Held(size) for path, size in sizes.items()}
        self.uploads: dict[str, tuple[str, Held]] = {}


class Handler(BaseHTTPRequestHandler):
    """As much of S3 as rclone and Causeway ask for."""

    protocol_version = "HTTP/1.1"
    state: State

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Describe an object."""
        path, _ = self._asked()
        held = self.state.objects.get(path)
        if held is None:
            self._answer(404, headers={} if "/" in path else {"x-amz-bucket-region": "us-east-1"})
        else:
            self._answer(200, headers=self._described(held), length=held.size_bytes)

    def do_GET(self) -> None:
        """Serve bytes, or answer one of the lists."""
        path, query = self._asked()
        if "uploads" in query:
            self._answer(200, self._uploads(path.split("/")[0]))
        elif "uploadId" in query:
            self._answer(200, self._parts(query))
        elif "tagging" in query:
            self._answer(200, self.state.objects[path].tags or "<Tagging><TagSet/></Tagging>")
        elif "list-type" in query or "/" not in path:
            self._answer(200, self._objects(path.split("/")[0], query))
        elif path in self.state.objects:
            self._serve(self.state.objects[path])
        else:
            self._answer(404, "<Error><Code>NoSuchKey</Code></Error>")

    def do_PUT(self) -> None:
        """Take a part, an object or tags, and keep only what is known of them."""
        path, query = self._asked()
        if "tagging" in query:
            self.state.objects[path].tags = self._body().decode()
            self._answer(200)
            return
        size = self._swallow()
        checksum = self.headers.get("x-amz-checksum-crc32c", "")
        if "uploadId" in query:
            self.state.uploads[query["uploadId"]][1].parts[int(query["partNumber"])] = size, checksum
        elif "/" in path:
            self.state.objects[path] = Held(size, headers={"x-amz-checksum-crc32c": checksum} | self._noted())
        self._answer(200, headers={"ETag": _ETAG})

    def do_POST(self) -> None:
        """Begin or complete an upload."""
        path, query = self._asked()
        body = self._body()
        with self.state.lock:
            if "uploads" in query:
                upload = f"upload-{len(self.state.uploads)}"
                self.state.uploads[upload] = path, Held(headers=self._noted())
                answer = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            else:
                self._complete(path, query["uploadId"], body)
                answer = (
                    f"<CompleteMultipartUploadResult><ETag>{_ETAG}</ETag></CompleteMultipartUploadResult>"
                )
        self._answer(200, answer)

    def do_DELETE(self) -> None:
        """Give up an upload, or remove an object."""
        path, query = self._asked()
        self.state.uploads.pop(query.get("uploadId", ""), None)
        if "uploadId" not in query:
            self.state.objects.pop(path, None)
        self._answer(204)

    def _complete(self, path: str, upload: str, body: bytes) -> None:
        _, held = self.state.uploads.pop(upload)
        named = {number for number in held.parts if f"<PartNumber>{number}</PartNumber>".encode() in body}
        held.size_bytes = sum(held.parts[number][0] for number in named)
        held.headers["x-amz-checksum-crc32c"] = self.headers.get("x-amz-checksum-crc32c", "")
        self.state.objects[path] = held

    def _serve(self, held: Held) -> None:
        first, last = 0, held.size_bytes - 1
        if asked := self.headers.get("Range"):
            begin, _, end = asked.removeprefix("bytes=").partition("-")
            first, last = int(begin), min(last, int(end) if end else last)
        count = last - first + 1
        ranged = {"Content-Range": f"bytes {first}-{last}/{held.size_bytes}"} if asked else {}
        self._answer(206 if asked else 200, headers=self._described(held) | ranged, length=count)
        while count:
            # The file is sparse and smaller than the object may be: any of its bytes will do.
            sent = min(count, _CHUNK_BYTES * 16)
            self.connection.sendfile(self.state.file, 0, sent)
            count -= sent

    def _described(self, held: Held) -> dict[str, str]:
        return {"ETag": _ETAG, "Last-Modified": _NOW, "Accept-Ranges": "bytes"} | held.headers

    def _noted(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}

    def _uploads(self, bucket: str) -> str:
        found = "".join(
            f"<Upload><Key>{path.partition('/')[2]}</Key><UploadId>{upload}</UploadId>"
            "<Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>"
            for upload, (path, _) in self.state.uploads.items()
            if path.startswith(f"{bucket}/")
        )
        return f"<ListMultipartUploadsResult>{found}<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"

    def _parts(self, query: dict[str, str]) -> str:
        _, held = self.state.uploads[query["uploadId"]]
        after = int(query.get("part-number-marker", 0))
        found = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{_ETAG}</ETag><Size>{size}</Size>"
            f"<ChecksumCRC32C>{checksum}</ChecksumCRC32C></Part>"
            for number, (size, checksum) in sorted(held.parts.items())
            if number > after
        )
        return f"<ListPartsResult>{found}<IsTruncated>false</IsTruncated></ListPartsResult>"

    def _objects(self, bucket: str, query: dict[str, str]) -> str:
        prefix = query.get("prefix", "")
        found = "".join(
            f"<Contents><Key>{path.partition('/')[2]}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{_ETAG}</ETag><Size>{held.size_bytes}</Size></Contents>"
            for path, held in sorted(self.state.objects.items())
            if path.startswith(f"{bucket}/{prefix}")
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"

    def _asked(self) -> tuple[str, dict[str, str]]:
        parsed = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parsed.query, keep_blank_values=True).items()}
        return unquote(parsed.path).strip("/"), query

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _swallow(self) -> int:
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        size = left = int(self.headers.get("Content-Length") or 0)
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        while left:
            read = self.rfile.readinto(buffer[: min(left, _CHUNK_BYTES)])
            if not read:
                raise ConnectionError("a body that ended early")
            left -= read
        return size

    def handle_expect_100(self) -> bool:
        """Leave it to `_swallow`."""
        return True

    def _answer(
        self, status: int, body: str = "", *, headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        content = body.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def main(port: int, sizes: list[int]) -> None:
    """Serve until the process ends."""
    with tempfile.TemporaryFile() as file:
        file.truncate(_CHUNK_BYTES * 16)
        Handler.state = State(file, {f"source/{size}": size for size in sizes})
        ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), [int(size) for size in sys.argv[2:]])
