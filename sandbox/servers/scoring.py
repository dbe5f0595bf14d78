"""A server that scores, as its cloud sees it: a port of its own, whether it answers, what it answers."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass

PING_SECONDS = 2.0
SCORE_SECONDS = 60.0
"""SageMaker gives a container 60 s for an answer."""


@dataclass(frozen=True)
class Scored:
    """What a server answered."""

    status: int
    body: bytes
    media_type: str
    retry_after: str | None


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, path: str) -> bool:
    """Whether the server answers its health route with 200."""
    try:
        return _ask(port, "GET", path, None, {}, PING_SECONDS).status == 200
    except OSError:
        return False


def scored(port: int, path: str, body: bytes, headers: dict[str, str]) -> Scored:
    """Have the server score.

    Raises:
        OSError: It does not answer.
    """
    return _ask(port, "POST", path, body, headers, SCORE_SECONDS)


def _ask(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str], seconds: float
) -> Scored:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
    except http.client.HTTPException as exc:
        raise OSError(f"no HTTP: {type(exc).__name__}") from exc
    finally:
        connection.close()
    media_type = answer.getheader("Content-Type", "application/octet-stream")
    return Scored(answer.status, content, media_type, answer.getheader("Retry-After"))
