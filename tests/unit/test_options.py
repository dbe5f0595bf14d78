"""Options of the command line: keys, times, params."""

from datetime import datetime, timedelta

import pytest

from starter.exits import StarterError
from starter.options import key_of, moment_of, params_of


@pytest.mark.parametrize("text", ["", "a/b", "a b", "x" * 65, "é", "a\n"])
def test_a_key_of_other_characters_is_refused(text: str) -> None:
    with pytest.raises(StarterError):
        key_of(text)


def test_keys_that_are_made_are_fit_and_differ() -> None:
    assert key_of(key_of(None)) != key_of(None)


NOON = datetime.fromisoformat("2026-11-22T12:00:00").astimezone()


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "18", "18:0", "2 hours"])
def test_what_is_no_moment_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(StarterError, match=r"such as 18:00, an ISO time such as .*, or how long, such as 2h"):
        moment_of(text)


@pytest.mark.parametrize(
    ("text", "words"), [("25:00", "24 hours"), ("0h", "out of range"), ("999d", "out of range")]
)
def test_a_moment_that_cannot_be_is_refused(text: str, words: str) -> None:
    with pytest.raises(StarterError, match=words):
        moment_of(text)


@pytest.mark.parametrize(
    "text", ["2020-01-01T00:00:00Z", "2026-01-01T00:00:00+13:00", "2026-11-22T12:00:00", "2026-11-22"]
)
def test_a_time_that_is_past_is_refused(text: str) -> None:
    with pytest.raises(StarterError, match="still to come"):
        moment_of(text, NOON)


@pytest.mark.parametrize(
    ("text", "later"),
    [
        ("18:00", timedelta(hours=6)),
        ("18:00:30", timedelta(hours=6, seconds=30)),
        ("9:30", timedelta(hours=21, minutes=30)),
        ("12:00", timedelta(hours=24)),
        ("2h", timedelta(hours=2)),
        ("2026-11-22T18:00", timedelta(hours=6)),
    ],
)
def test_a_time_of_day_is_the_next_one_here_and_a_duration_counts_from_now(
    text: str, later: timedelta
) -> None:
    moment = moment_of(text, NOON)
    assert moment is not None
    assert moment - NOON == later
    assert moment.tzinfo is not None


def test_a_time_to_come_is_taken_with_its_zone() -> None:
    moment = moment_of("2999-01-01T00:00:00+02:00")
    assert moment is not None
    assert moment.isoformat() == "2999-01-01T00:00:00+02:00"
    assert moment_of("") is None


def test_a_param_without_a_value_is_refused() -> None:
    with pytest.raises(StarterError, match="write NAME=VALUE"):
        params_of(("count",))
