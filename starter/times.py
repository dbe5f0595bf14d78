"""Times as people write them: zones, moments and periods."""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.units import parse_duration
from starter.exits import StarterError


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its name in the IANA database.

    Raises:
        StarterError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise StarterError(f"--tz {name!r} is no time zone; write one such as Europe/Berlin or UTC") from None


def period_of(since: str, until: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first and the last moment of a period; days and times without a zone are of this one.

    Raises:
        StarterError: one of them is no day or time, or the period ends before it begins.
    """
    begin = _moment("--from", since, zone, time.min)
    # A day is a whole one.
    end = _moment("--to", until, zone, time(23, 59, 59))
    if end < begin:
        raise StarterError(f"--to {until!r} lies before --from {since!r}")
    if end - begin > timedelta(days=3660):
        raise StarterError(f"--from {since!r} --to {until!r} is more than ten years; write a shorter period")
    return begin, end


def _moment(option: str, given: str, zone: tzinfo | None, of_day: time) -> datetime:
    try:
        if len(given) == len("2026-11-30"):
            return datetime.combine(date.fromisoformat(given), of_day, zone)
        found = datetime.fromisoformat(given)
    except ValueError:
        raise StarterError(
            f"{option} {given!r}: write a day, 2026-11-30, or a time, 2026-11-30T06:00:00Z"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def span_of(since: str, until: str, now: datetime | None = None) -> tuple[datetime | None, datetime | None]:
    """Return the first and the last moment of what `--since` and `--until` ask for; None where they ask for no bound.

    Each is a day, a time, or how long ago, such as `2h`. Days and times without a zone are of this machine's.

    Raises:
        StarterError: one of them is none of these, or the span ends before it begins.
    """
    now = now or datetime.now(UTC)
    begin = _past("--since", since, now, time.min) if since else None
    end = _past("--until", until, now, time.max) if until else None
    if begin and end and end < begin:
        raise StarterError(f"--until {until!r} lies before --since {since!r}")
    return begin, end


def _past(option: str, given: str, now: datetime, of_day: time) -> datetime:
    if re.fullmatch(r"\d+[smhd]", given):
        try:
            return now - parse_duration(given)
        except ValueError as error:
            raise StarterError(f"{option}: {error}") from None
    try:
        return _moment(option, given, None, of_day).astimezone(UTC)
    except (OverflowError, ValueError, StarterError):
        # A moment next to the end of all years has no time in another zone.
        raise StarterError(
            f"{option} {given!r}: write a day, 2026-11-30, a time, 2026-11-30T06:00:00Z, or how long ago, 2h"
        ) from None
