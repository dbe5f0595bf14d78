"""Options of the command line as values: params, keys and times."""

import re
import time
import uuid
from datetime import UTC, datetime

from contracts.spec import KEY_PATTERN
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


def key_of(given: str | None) -> str:
    """Check a run's key, or make one that sorts by time.

    Raises:
        StarterError: it holds other characters, or is empty or longer than 64.
    """
    if given is None:
        return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}"
    if not re.fullmatch(KEY_PATTERN.strip("^$"), given):
        raise StarterError(f"--key {given!r}: write 1 to 64 letters, digits, '.', '_' and '-'")
    return given


def moment_of(given: str) -> str:
    """Check a time with a zone that is still to come; return it in ISO form, empty for none.

    Raises:
        StarterError: it is no such time, or past.
    """
    if not given:
        return ""
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise StarterError(
            f"--until {given!r}: write an ISO time with a zone, such as 2026-11-22T18:00:00+01:00 or 2026-11-22T17:00:00Z"
        )
    if moment <= datetime.now(UTC):
        raise StarterError(f"--until {given!r} is over; write a time that is still to come")
    return moment.isoformat()
