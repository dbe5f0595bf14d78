from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

import h11
import pytest

from sandbox.servers.fronts.messages import Reply, Substitute
from sandbox.servers.fronts.proxy import Front, listen
from tests.house import PATIENCE_SECONDS
from tests.sandbox.origin import LARGE, Origin, Seen


class Guard:
    """Refuses whatever is asked below `/forbidden`."""

    def judge(self, request: h11.Request) -> Reply | Substitute | None:
        return Reply(401, {}, b"who are you?") if request.target.startswith(b"/forbidden") else None

    def watch(self, request: h11.Request, body: Iterator[memoryview]) -> Iterator[memoryview]:
        return body

    def note(self, request: h11.Request, order: Reply | Substitute, status: int) -> None:
        pass


@contextmanager
def serving(listener: socket.socket, serve: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def origin(seen: Seen) -> Iterator[int]:
    handler = type("Handler", (Origin,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def front(origin: int) -> Iterator[int]:
    front = Front(lambda: socket.create_connection(("127.0.0.1", origin)), Guard(), None)
    listener = listen(0)
    with serving(listener, lambda: front.serve(listener)):
        yield listener.getsockname()[1]


@pytest.fixture
def client(front: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", front, timeout=PATIENCE_SECONDS)
    yield connection
    connection.close()


def said(connection: http.client.HTTPConnection, method: str, path: str, *more: Any, **named: Any) -> bytes:
    connection.request(method, path, *more, **named)
    return connection.getresponse().read()


def test_a_body_of_several_mebibytes_passes_both_ways_unchanged(
    client: http.client.HTTPConnection, seen: Seen
) -> None:
    assert said(client, "PUT", "/one", LARGE) == b"%d bytes" % len(LARGE)
    assert seen.requests[0][3] == LARGE
    assert said(client, "GET", "/one") == LARGE


def test_chunks_pass_both_ways(client: http.client.HTTPConnection, seen: Seen) -> None:
    pieces = iter((b"one", LARGE, b"two"))
    assert said(client, "PUT", "/one", pieces, encode_chunked=True).endswith(b"bytes")
    assert seen.requests[0][3] == b"one" + LARGE + b"two"
    assert said(client, "GET", "/chunked") == LARGE


def test_a_body_that_only_the_end_of_the_connection_ends_arrives_whole(
    client: http.client.HTTPConnection,
) -> None:
    for _ in range(2):
        assert said(client, "GET", "/till-the-end") == LARGE


def test_requests_of_one_connection_share_one_to_the_server(
    client: http.client.HTTPConnection, seen: Seen
) -> None:
    for number in range(20):
        said(client, "PUT", f"/{number}", b"x" * number)
    assert len(seen.peers) == 1
    assert [len(body) for _, _, _, body in seen.requests] == list(range(20))


def test_small_requests_do_not_wait_for_each_other(client: http.client.HTTPConnection) -> None:
    said(client, "PUT", "/one", b"x")
    took = []
    for _ in range(50):
        began = time.monotonic()
        said(client, "PUT", "/one", b"x")
        took.append(time.monotonic() - began)
    # Delayed acknowledgements would cost each of them 40 ms; a busy machine delays some.
    assert sorted(took)[20] < 0.04


def test_requests_sent_before_an_answer_came_are_answered_in_order(front: int) -> None:
    with socket.create_connection(("127.0.0.1", front), timeout=PATIENCE_SECONDS) as raw:
        for number in (1, 2, 3):
            raw.sendall(b"PUT /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (number, number))
            raw.sendall(b"x" * number)
        received = b""
        while received.count(b" bytes") < 3:
            received += raw.recv(65536)
    assert [received.index(b"%d bytes" % number) for number in (1, 2, 3)] == sorted(
        received.index(b"%d bytes" % number) for number in (1, 2, 3)
    )


def test_an_answer_to_head_has_a_length_and_no_body(client: http.client.HTTPConnection) -> None:
    client.request("HEAD", "/one")
    answer = client.getresponse()
    assert (answer.headers["Content-Length"], answer.read()) == (str(len(LARGE)), b"")
    assert said(client, "GET", "/one") == LARGE


def test_headers_and_the_address_pass_as_they_were_written(
    client: http.client.HTTPConnection, seen: Seen
) -> None:
    said(client, "PUT", "/a%20b?x=%2F&y", b"", headers={"X-Ms-Meta-Some_Name": "Wört".encode("latin-1")})
    _, path, headers, _ = seen.requests[0]
    assert path == "/a%20b?x=%2F&y"
    assert headers["X-Ms-Meta-Some_Name"].encode("latin-1") == "Wört".encode("latin-1")
    assert headers["Host"] == f"127.0.0.1:{client.port}"


def test_a_sender_that_waits_to_be_asked_is_asked(front: int, seen: Seen) -> None:
    with socket.create_connection(("127.0.0.1", front), timeout=PATIENCE_SECONDS) as raw:
        raw.sendall(b"PUT /one HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert raw.recv(65536).startswith(b"HTTP/1.1 100 ")
        raw.sendall(b"yes")
        assert raw.recv(65536).startswith(b"HTTP/1.1 201 ")
    assert seen.requests[0][3] == b"yes"


def test_a_sender_that_waits_to_be_asked_is_refused_before_it_sends(front: int) -> None:
    with socket.create_connection(("127.0.0.1", front), timeout=PATIENCE_SECONDS) as raw:
        raw.sendall(
            b"PUT /forbidden HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        assert raw.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_who_is_refused_hears_why_after_a_large_body_and_may_go_on(
    client: http.client.HTTPConnection, seen: Seen
) -> None:
    assert said(client, "PUT", "/forbidden", LARGE) == b"who are you?"
    assert said(client, "PUT", "/one", b"x") == b"1 bytes"
    assert [path for _, path, _, _ in seen.requests] == ["/one"]


def test_a_server_that_answers_and_hangs_up_amid_a_body_is_reached_anew(
    client: http.client.HTTPConnection,
) -> None:
    # Bytes it left unread may take its answer along, as they would without a front.
    try:
        assert said(client, "PUT", "/enough", LARGE) == b"no more"
    except (http.client.RemoteDisconnected, ConnectionError):
        client.close()
    assert said(client, "PUT", "/one", b"x") == b"1 bytes"


def test_an_answer_that_breaks_off_breaks_off_at_the_client(client: http.client.HTTPConnection) -> None:
    with pytest.raises(http.client.IncompleteRead):
        said(client, "GET", "/cut")


def test_a_client_that_breaks_off_amid_its_body_breaks_off_at_the_server(front: int, seen: Seen) -> None:
    with socket.create_connection(("127.0.0.1", front)) as raw:
        raw.sendall(b"PUT /one HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
        time.sleep(0.1)
    assert seen.broken.wait(PATIENCE_SECONDS)


def test_a_client_that_hangs_up_while_it_waits_frees_the_server(front: int, seen: Seen) -> None:
    with socket.create_connection(("127.0.0.1", front)) as raw:
        raw.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
    assert seen.broken.wait(PATIENCE_SECONDS)


def test_where_no_server_is_the_connection_breaks(front: int) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = closed.getsockname()
    alone = Front(lambda: socket.create_connection(nowhere), Guard(), None)
    listener = listen(0)
    with serving(listener, lambda: alone.serve(listener)):
        connection = http.client.HTTPConnection(
            "127.0.0.1", listener.getsockname()[1], timeout=PATIENCE_SECONDS
        )
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            said(connection, "GET", "/one")
        connection.close()


@pytest.mark.parametrize(
    ("raw", "status"),
    [(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000, b"431"), (b"nonsense\r\n\r\n", b"400")],
    ids=["too long", "none"],
)
def test_a_head_that_is_too_long_or_none_is_refused(front: int, raw: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", front), timeout=PATIENCE_SECONDS) as client:
        client.sendall(raw)
        assert client.recv(65536).split()[1] == status
