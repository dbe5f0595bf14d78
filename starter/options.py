"""Options of the command line as values: params, keys and times."""

import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day

from contracts.spec import KEY_PATTERN
from contracts.units import parse_duration
from starter.exits import StarterError


def params_of(given: tuple[str, ...]) -> dict[str, str]:
    """Read `NAME=VALUE` pairs; a later one wins.

    Raises:
        StarterError: one of them has no `=`.
    """
    found = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise StarterError(f"--param {pair}: write NAME=VALUE")
        found[name] = value
    return found


def key_of(given: str | None, option: str = "--key") -> str:
    """Check a run's key, or make one that sorts by time.

    Raises:
        StarterError: it holds other characters, or is empty or longer than 64.
    """
    if given is None:
        return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}"
    if not re.fullmatch(KEY_PATTERN.strip("^$"), given):
        raise StarterError(f"{option} {given!r}: write 1 to 64 letters, digits, '.', '_' and '-'")
    return given


def moment_of(given: str, now: datetime | None = None) -> datetime | None:
    """Read a moment that is still to come: `18:00` here, an ISO time (in this machine's zone if it names none), or `2h`.

    A time of day that is over today is tomorrow's. None for an empty text.

    Raises:
        StarterError: it is no such moment, or past.
    """
    if not given:
        return None
    now = (now or datetime.now(UTC)).astimezone()
    if re.fullmatch(r"\d+[smhd]", given):
        return now + _duration(given)
    moment = _time_of_day(given, now) if re.fullmatch(r"\d\d?:\d\d(:\d\d)?", given) else _iso(given)
    if moment <= now:
        raise StarterError(f"--until {given!r} is over; write a time that is still to come")
    return moment


def _duration(given: str) -> timedelta:
    try:
        return parse_duration(given)
    except ValueError as error:
        raise StarterError(f"--until: {error}") from None


def _time_of_day(given: str, now: datetime) -> datetime:
    try:
        wanted = time_of_day.fromisoformat(given.zfill(len(given) + given.index(":") % 2))
    except ValueError:
        raise StarterError(f"--until {given!r}: a day has 24 hours of 60 minutes") from None
    days = (now.date(), now.date() + timedelta(days=1))
    # Without a zone it is read in the machine's own, by the offset that holds on that day.
    moments = [datetime.combine(day, wanted).astimezone() for day in days]
    return next(moment for moment in moments if moment > now)


def _iso(given: str) -> datetime:
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise StarterError(
            f"--until {given!r}: write a time of day such as 18:00, an ISO time such as 2026-11-22T18:00:00+01:00,"
            " or how long, such as 2h"
        ) from None
    return moment if moment.tzinfo else moment.astimezone()
