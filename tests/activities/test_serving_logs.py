"""A server's log, of which vendors tell the last lines only: what is new in it is told once."""

from typing import cast

import pytest

from activities.aws.errors import translate
from activities.endpoint_service import EndpointService
from activities.serving_logs import PLACE_LINES, WINDOW_LINES, ServerLog, beyond, place_after
from contracts.endpoints import EndpointPhase, EndpointRef, EndpointState, server_ref
from contracts.jobs import LOG_BEGINNING, LogPage, LogRequest

REF = EndpointRef(id="serve", name="serve", generation=1)


class Server:
    """A service whose one server has said this much; each look at its state lets it say what is next."""

    first_poll_seconds = 0.0

    def __init__(self, *said: str, next_lines: tuple[str, ...] = (), gone: bool = False) -> None:
        self.said = list(said)
        self._next = list(next_lines)
        self._gone = gone

    def describe(self, ref: EndpointRef) -> EndpointState:
        if self._next:
            self.said.append(self._next.pop(0))
        return EndpointState(ref=ref, phase=EndpointPhase.GONE if self._gone else EndpointPhase.READY)

    def last_lines(self, ref: EndpointRef, tail: int) -> tuple[str, ...]:
        return tuple(self.said[-tail:])


def page(server: Server, after: str | None = None, *, tail: int = 100, patience: float = 0.0) -> LogPage:
    request = LogRequest(ref=server_ref(REF), tail=tail, after=after, patience_seconds=patience)
    return ServerLog(cast(EndpointService, server), translate, request).page()


def numbered(first: int, end: int) -> tuple[str, ...]:
    return tuple(f"line {number}" for number in range(first, end))


def test_the_last_lines_come_first_and_then_each_that_follows_once() -> None:
    server = Server(*numbered(0, 300))
    first = page(server, tail=20)
    assert first.lines == numbered(280, 300)
    assert page(server, first.next_after).lines == ()
    server.said += numbered(300, 330)
    second = page(server, first.next_after, tail=5)
    assert second.lines == numbered(300, 330)
    assert page(server, second.next_after).lines == ()


def test_of_a_log_that_had_not_begun_everything_comes() -> None:
    server = Server()
    first = page(server)
    assert (first.lines, first.next_after) == ((), LOG_BEGINNING)
    server.said += numbered(0, 300)
    assert page(server, first.next_after, tail=5).lines == numbered(0, 300)


def test_lines_are_found_again_in_a_window_that_has_moved_on_and_else_all_of_it_is_new() -> None:
    server = Server(*numbered(0, WINDOW_LINES))
    after = page(server).next_after
    server.said += numbered(WINDOW_LINES, WINDOW_LINES + 900)
    assert page(server, after).lines == numbered(WINDOW_LINES, WINDOW_LINES + 900)
    server.said += numbered(WINDOW_LINES + 900, 3 * WINDOW_LINES)
    assert page(server, after).lines == numbered(2 * WINDOW_LINES, 3 * WINDOW_LINES)


@pytest.mark.parametrize("before", [1, 3, PLACE_LINES, PLACE_LINES + 1])
def test_a_place_is_known_by_the_lines_before_it_however_few(before: int) -> None:
    lines = numbered(0, before)
    assert beyond((*lines, "new"), place_after(lines)) == ("new",)


def test_a_line_that_others_repeat_is_not_taken_for_the_place_of_a_longer_one() -> None:
    lines = ("GET / 200", "loaded", "GET / 200")
    assert beyond((*lines, "loaded"), place_after(lines)) == ("loaded",)


def test_whoever_waits_has_the_next_line_as_soon_as_it_is_there() -> None:
    server = Server("loaded", next_lines=("asked",))
    assert page(server, page(server).next_after, patience=20).lines == ("asked",)


def test_the_last_words_of_a_server_come_before_its_end_is_told() -> None:
    server = Server("loaded", next_lines=("going",), gone=True)
    last = page(server, page(server).next_after, patience=20)
    assert (last.lines, last.ended) == (("going",), False)
    end = page(server, last.next_after, patience=20)
    assert (end.lines, end.ended) == ((), True)
