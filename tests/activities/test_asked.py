"""The ids of requests, as clients note them: by attempt, newest kept, and nothing outside an attempt."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.auth.credentials import AnonymousCredentials

from activities.asked import LAST, answered, attempt
from activities.gcp.room import _session


def test_attempts_side_by_side_keep_their_ids_apart() -> None:
    async def one(name: str) -> tuple[str, ...]:
        asked = attempt()
        for index in range(3):
            await asyncio.sleep(0)
            await asyncio.to_thread(answered, f"{name}-{index}")
        return asked.ids

    async def both() -> list[tuple[str, ...]]:
        return list(await asyncio.gather(one("a"), one("b")))

    assert asyncio.run(both()) == [("a-0", "a-1", "a-2"), ("b-0", "b-1", "b-2")]


def test_an_attempt_of_thousands_of_requests_keeps_the_newest() -> None:
    def many() -> tuple[str, ...]:
        asked = attempt()
        for index in range(1000):
            answered(str(index))
        return asked.ids

    assert contextvars.copy_context().run(many) == tuple(str(index) for index in range(1000 - LAST, 1000))


def test_what_has_no_id_and_what_no_attempt_asked_are_let_be() -> None:
    def none() -> tuple[str, ...]:
        answered("of nobody")
        asked = attempt()
        answered(None)
        answered("")
        return asked.ids

    assert contextvars.Context().run(none) == ()


def test_requests_to_cloud_storage_are_noted_by_its_own_id() -> None:
    def ask() -> tuple[str, ...]:
        asked = attempt()
        with store() as url, _session(AnonymousCredentials()) as session:
            session.get(url)
            session.get(f"{url}refused")
        return asked.ids

    assert contextvars.copy_context().run(ask) == ("id-of-/", "id-of-/refused")


@contextmanager
def store() -> Iterator[str]:
    """A server that names each request as Cloud Storage does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403 if self.path == "/refused" else 200)
            self.send_header("X-GUploader-UploadID", f"id-of-{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
