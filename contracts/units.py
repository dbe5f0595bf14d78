"""Durations and sizes as people write them: `90s 30m 2h 1d`, `512MiB 4GiB 100GB`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

MIB = 1024 * 1024
_DURATION = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
GIB = 1024 * MIB
_SIZE = re.compile(r"(\d+)(kB|MB|GB|TB|KiB|MiB|GiB|TiB)")
_BINARY = {"KiB": 1024, "MiB": MIB, "GiB": GIB, "TiB": 1024 * GIB}
_BYTES = {"kB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4, **_BINARY}
_RATE = re.compile(r"(\d+)(kB|MB|GB|KiB|MiB|GiB)/s")
LONGEST = timedelta(days=365)
DIGITS = 12
"""Of a number at most: none is cut off to another."""


def parse_duration(value: object) -> timedelta:
    """Read `90s`, `30m`, `2h` or `1d`; a timedelta passes.

    Raises:
        ValueError: anything else, zero, or more than a year.
    """
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError(
            f"{value!r} is not a duration; write a whole number and s, m, h or d, such as 90s or 2h"
        )
    seconds = int(found[1][:DIGITS]) * _SECONDS[found[2]]
    if not 0 < seconds <= LONGEST.total_seconds() or len(found[1]) > DIGITS:
        raise ValueError(f"{value!r} is out of range; a duration lies between 1s and 365d")
    return timedelta(seconds=seconds)


def format_duration(value: timedelta) -> str:
    """Write a duration in the largest unit that holds it exactly."""
    seconds = round(value.total_seconds())
    unit = next(name for name in "dhms" if seconds % _SECONDS[name] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def parse_size(value: object) -> int:
    """Read `512MiB`, `4GiB` or `100GB` as bytes; a whole number passes as bytes.

    Raises:
        ValueError: anything else, or zero.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if not found or len(found[1]) > DIGITS or int(found[1]) == 0:
        raise ValueError(
            f"{value!r} is not a size; write a whole number and KiB, MiB, GiB, TiB, kB, MB, GB or TB, such as 4GiB"
        )
    return int(found[1]) * _BYTES[found[2]]


def format_size(value: int) -> str:
    """Write a size as people read it: exactly where a number of four digits holds it, else with one decimal."""
    fitting = [unit for unit in reversed(_BINARY) if value >= _BINARY[unit]]
    if not fitting:
        return f"{value} bytes"
    exact = (unit for unit in fitting if value % _BINARY[unit] == 0 and value < 10_000 * _BINARY[unit])
    unit = next(exact, fitting[0])
    return f"{value / _BINARY[unit]:.1f}".removesuffix(".0") + f" {unit}"


def parse_rate(value: object) -> int:
    """Read `50MB/s` or `64MiB/s` as bytes per second; a whole number passes.

    Raises:
        ValueError: anything else, or zero.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if not found or int(found[1][:12]) == 0:
        raise ValueError(
            f"{value!r} is not a rate; write a whole number and kB/s, MB/s, GB/s, KiB/s, MiB/s or GiB/s"
        )
    return int(found[1][:12]) * _BYTES[found[2]]


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+[smhd]$", "examples": ["90s", "30m", "2h", "1d"]}),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d+(kB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
            "examples": ["512MiB", "4GiB", "100GB"],
        }
    ),
]
Rate = Annotated[
    int,
    BeforeValidator(parse_rate),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d+(kB|MB|GB|KiB|MiB|GiB)/s$", "examples": ["50MB/s", "64MiB/s"]}
    ),
]
