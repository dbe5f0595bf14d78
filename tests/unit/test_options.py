"""Options of the command line: keys, times, params."""

import pytest

from starter.exits import StarterError
from starter.options import key_of, moment_of, params_of


@pytest.mark.parametrize("text", ["", "a/b", "a b", "x" * 65, "é", "a\n"])
def test_a_key_of_other_characters_is_refused(text: str) -> None:
    with pytest.raises(StarterError):
        key_of(text)


def test_keys_that_are_made_are_fit_and_differ() -> None:
    assert key_of(key_of(None)) != key_of(None)


@pytest.mark.parametrize("text", ["soon", "2026-01-01T00:00:00", "12:00"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(StarterError, match="with a zone"):
        moment_of(text)


@pytest.mark.parametrize("text", ["2020-01-01T00:00:00Z", "2026-01-01T00:00:00+13:00"])
def test_a_time_that_is_past_is_refused(text: str) -> None:
    with pytest.raises(StarterError, match="still to come"):
        moment_of(text)


def test_a_time_to_come_is_taken_with_its_zone() -> None:
    assert moment_of("2999-01-01T00:00:00+02:00") == "2999-01-01T00:00:00+02:00"


def test_a_param_without_a_value_is_refused() -> None:
    with pytest.raises(StarterError, match="write NAME=VALUE"):
        params_of(("count",))
