"""What `copy` asks for, and what it refuses."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.transfers import TransferRequest
from starter.copies import CopyOptions, digest_of, request_of
from starter.exits import StarterError


def asked(source: str = "s3://b/data/", target: str = "az://cont/out/", **more: Any) -> TransferRequest:
    return request_of(CopyOptions(source, target, **{"key": "k", **more}))


@pytest.mark.parametrize(
    ("source", "target", "method", "kind", "lies_at"),
    [
        ("s3://b/data/", "az://cont/out/", "pull", "folder", "az://cont/out/"),
        ("s3://b/", "gs://g/", "pull", "folder", "gs://g/"),
        ("file:///x/", "s3://b/x/", "push", "folder", "s3://b/x/"),
        ("s3://b/one", "file:///in/", "pull", "file", "file:///in/one"),
        ("s3://b/one", "s3://b/two", "local", "file", "s3://b/two"),
        ("gs://g/deep/one", "az://cont", "pull", "file", "az://cont/one"),
    ],
)
def test_a_copy_goes_the_way_its_ends_allow(
    source: str, target: str, method: str, kind: str, lies_at: str
) -> None:
    request = asked(source, target)
    assert (request.method, request.kind, request.target) == (method, kind, lies_at)


def test_only_azure_reads_from_others_by_itself() -> None:
    assert asked().server_side
    assert not asked(server_side=False).server_side
    assert not asked("az://cont/out/", "s3://b/data/").server_side


def test_what_nobody_reaches_from_outside_is_pushed_and_read_by_no_other_store() -> None:
    request = asked(push=True)
    assert (request.method, request.server_side) == ("push", False)
    assert asked("s3://b/one", "s3://b/two", push=True).method == "local"


def test_bounds_are_read_as_people_write_them() -> None:
    request = asked(limit_rate="50MB/s", streams=3, max_size="1GiB", max_cost="2.50", max_duration="2h")
    assert (request.limits.bytes_per_second, request.limits.streams) == (50_000_000, 3)
    assert request.caps.size_bytes == 1024**3
    assert (request.caps.cost, request.caps.duration) == (Decimal("2.50"), timedelta(hours=2))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "http://x/y"}, "SRC"),
        ({"target": "somewhere"}, "DST"),
        ({"target": "az://cont/out"}, "write az://cont/out/"),
        ({"source": "s3://b/one", "target": "az://cont/one", "include": ("*.csv",)}, "--include"),
        ({"source": "s3://b/one", "target": "s3://b/one"}, "the same"),
        ({"source": "file:///a", "target": "file:///b", "target_on": "onprem/two"}, "reached from outside"),
        ({"source": "s3://b/one", "target": "file:///in/", "push": True}, "reached from outside"),
        ({"source_on": "gcp/eu"}, "--from"),
        ({"target_on": "nowhere"}, "--to"),
        ({"limit_rate": "fast"}, "--limit-rate"),
        ({"max_size": "big"}, "not a size"),
        ({"max_cost": "cheap"}, "--max-cost"),
        ({"max_cost": "-1"}, "--max-cost"),
        ({"max_duration": "soon"}, "not a duration"),
        ({"key": "a b"}, "--key"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_option_s_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(StarterError, match=words):
        asked(**changes)


def test_the_same_copy_under_the_same_key_takes_up_what_it_had_begun() -> None:
    first, again = asked(limit_rate="1MB/s"), asked(max_size="1GiB")
    assert (first.owner, digest_of(first)) == (again.owner, digest_of(again))
    assert asked(key="other").owner != first.owner
    assert asked(target="az://cont/elsewhere/").owner != first.owner
