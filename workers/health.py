"""What a worker answers over HTTP to whoever watches it: whether it lives, whether it is ready, what it measures."""

import asyncio
import http.server
import json
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from temporalio.client import Client
from temporalio.service import RPCError

ADDRESS = "CAUSEWAY_METRICS_ADDRESS"
ANSWER_SECONDS = 2.0
"""How long the worker's loop, and Temporal, may take to answer before they are said not to."""
TEXT = "text/plain; version=0.0.4; charset=utf-8"
logger = logging.getLogger("workers")
Answer = TypeVar("Answer")


class Phase(StrEnum):
    """Where the life of a worker stands."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass
class Health:
    """What a worker knows of itself."""

    loop: asyncio.AbstractEventLoop
    queue: str
    phase: Phase = Phase.STARTING
    client: Client | None = None

    def alive(self) -> tuple[bool, str]:
        """Whether the worker's loop answers; a loop that is blocked serves nobody, however long the process lives."""
        try:
            self._asked(_nothing())
        except (TimeoutError, RuntimeError):
            return False, f"the worker's loop has not answered for {ANSWER_SECONDS:.0f} s"
        return True, "alive"

    def ready(self) -> tuple[bool, str]:
        """Whether the queue is served and Temporal answers now."""
        if self.phase is not Phase.SERVING or self.client is None:
            return False, self.phase.value
        try:
            well = self._asked(self._reached(self.client))
        except (TimeoutError, RuntimeError):
            well = False
        return (True, f"serving {self.queue}") if well else (False, "Temporal does not answer")

    async def _reached(self, client: Client) -> bool:
        try:
            return await client.service_client.check_health(timeout=timedelta(seconds=ANSWER_SECONDS))
        except RPCError:
            return False

    def _asked(self, question: Coroutine[Any, Any, Answer]) -> Answer:
        """Have the loop answer, from another thread.

        Raises:
            TimeoutError: it does not.
            RuntimeError: it is closed.
        """
        try:
            asked = asyncio.run_coroutine_threadsafe(question, self.loop)
        except RuntimeError:
            question.close()
            raise
        try:
            return asked.result(ANSWER_SECONDS + 0.5)
        except TimeoutError:
            asked.cancel()
            raise


class Endpoint:
    """Serves `/healthz`, `/readyz` and `/metrics`, each request in a thread of its own, until it is closed."""

    def __init__(self, address: tuple[str, int], health: Health, exposition: Callable[[], bytes]) -> None:
        """Listen from now on.

        Raises:
            OSError: the address cannot be had.
        """
        self._server = _Server(address, _Handler)
        self._server.answers = {
            "/healthz": lambda: _told(health.alive()),
            "/readyz": lambda: _told(health.ready()),
            "/metrics": lambda: (200, TEXT, exposition()),
        }
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens, with the port that it really has."""
        host, port = self._server.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else str(host)}:{port}"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    answers: Mapping[str, Callable[[], tuple[int, str, bytes]]]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        """Answer one of three questions."""
        asked = self.server.answers.get(self.path.partition("?")[0])
        if asked is None:
            self.send_error(404)
            return
        code, kind, body = asked()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds; nobody wants to read of them."""


def address_of(environment: Mapping[str, str]) -> tuple[str, int] | None:
    """Return where to listen; None where nothing says so.

    Raises:
        ValueError: it is no `host:port`.
    """
    written = environment.get(ADDRESS, "").strip()
    if not written:
        return None
    host, colon, port = written.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(
            f"{ADDRESS} is wrong: write host:port, such as 127.0.0.1:9464; port 0 takes a free one"
        )
    return host.strip("[]"), int(port)


def _told(answer: tuple[bool, str]) -> tuple[int, str, bytes]:
    well, words = answer
    return (
        200 if well else 503,
        "application/json",
        json.dumps({"ok": well, "status": words}).encode() + b"\n",
    )


async def _nothing() -> None:
    """Take one turn of the loop."""
