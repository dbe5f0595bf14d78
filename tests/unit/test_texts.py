"""What people write: placeholders, durations, sizes, URIs, connections."""

import contextlib
import string
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.artifacts import locate
from contracts.placeholders import Reference, parse_template, render, split_command
from contracts.queues import cloud_of, normalise, queue_of
from contracts.units import LONGEST, format_duration, format_size, parse_duration, parse_size

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
METRICS = st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True)
REFERENCES = st.one_of(
    st.builds(Reference, role=st.sampled_from(["inputs", "outputs", "params"]), name=NAMES),
    st.builds(Reference, role=st.just("metrics"), stage=NAMES, name=METRICS),
)


def written(pieces: list[str | Reference]) -> str:
    return "".join(
        "{" + piece.text + "}"
        if isinstance(piece, Reference)
        else piece.replace("{", "{{").replace("}", "}}")
        for piece in pieces
    )


@given(st.lists(st.one_of(st.text(), REFERENCES)))
def test_a_template_reads_back_as_it_was_written(pieces: list[str | Reference]) -> None:
    read = parse_template(written(pieces))
    assert [piece for piece in read if isinstance(piece, Reference)] == [
        piece for piece in pieces if isinstance(piece, Reference)
    ]
    plain = "".join(piece.text if isinstance(piece, Reference) else piece for piece in pieces)
    assert render(read, lambda reference: reference.text) == plain


@given(st.text(alphabet="{}ab. _xparmsinputsmetrics"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert render(parse_template(text), lambda reference: "") is not None


@pytest.mark.parametrize(
    "text", ["{", "}", "{x}", "{params}", "{params.}", "{params.a.b}", "{ params.x }", "{{{"]
)
def test_what_is_no_placeholder_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a placeholder"):
        parse_template(text)


def test_a_command_is_split_before_anything_is_filled_in() -> None:
    arguments = split_command("python 'my script.py' --x={params.a}{params.b} \"{params.c}\"")
    assert [render(pieces, lambda reference: "a b") for pieces in arguments] == [
        "python",
        "my script.py",
        "--x=a ba b",
        "a b",
    ]


@pytest.mark.parametrize(
    ("command", "words"), [("", "empty"), ("  ", "empty"), ("python 'x", "No closing quotation")]
)
def test_a_command_that_is_none_is_refused(command: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        split_command(command)


@given(st.integers(1, int(LONGEST.total_seconds())))
def test_a_duration_reads_back_as_it_was_written(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), ("365d", 365 * 86400)]
)
def test_durations_are_whole_numbers_with_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "text",
    ["", "0s", "-1s", "1.5h", "1 h", "1w", "90", "366d", "9" * 40 + "s", "9" * 11 + "h", 90, True, None, []],
)
def test_other_durations_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("1KiB", 1024), ("512MiB", 512 * 1024**2), ("4GiB", 4 * 1024**3), (7, 7)]
)
def test_sizes_are_whole_numbers_with_a_binary_unit(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (24_684_096 * 1024, "23.5 GiB"),
        (1952 * 1024**3, "1952 GiB"),
        (1536 * 1024**2, "1536 MiB"),
        (64 * 1024**4, "64 TiB"),
        (100 * 1000**3, "93.1 GiB"),
        (5_000_001, "4.8 MiB"),
        (700, "700 bytes"),
        (0, "0 bytes"),
    ],
)
def test_a_size_is_written_in_the_unit_a_person_reads_it_in(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    "text", ["", "0GiB", "4Gb", "4 GiB", "4g", "1.5GiB", "1" * 13 + "kB", 0, -1, True, None]
)
def test_other_sizes_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


URI_NAMES = st.text(alphabet=string.ascii_letters + string.digits + "/ ._-+%?#é", max_size=20)


@given(
    st.sampled_from(["s3", "az", "gs"]), st.from_regex(r"[a-z0-9][a-z0-9.-]{2,8}", fullmatch=True), URI_NAMES
)
def test_a_uri_reads_back_as_it_was_written(scheme: str, container: str, name: str) -> None:
    location = locate(f"{scheme}://{container}/{name}")
    assert (location.scheme, location.container, location.name) == (scheme, container, name)
    assert location.uri == f"{scheme}://{container}/{name}"


@pytest.mark.parametrize(
    "text", ["", "x", "http://h/x", "s3:/b/k", "s3:///k", "file://host/x", "s3://", "gs://-b/x"]
)
def test_other_uris_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a URI Causeway knows"):
        locate(text)


@pytest.mark.parametrize("text", ["file:///../x", "file:///a/../../x", "file:///a/.."])
def test_a_file_uri_never_leaves_the_root(text: str) -> None:
    with pytest.raises(ValueError, match="leaves the worker's root"):
        locate(text)


@pytest.mark.parametrize(
    ("text", "whole", "queue"),
    [
        ("aws", "aws/default", "causeway-aws"),
        ("aws/default", "aws/default", "causeway-aws"),
        ("gcp/eu-1", "gcp/eu-1", "causeway-gcp.eu-1"),
    ],
)
def test_a_connection_has_one_queue(text: str, whole: str, queue: str) -> None:
    assert (normalise(text), queue_of(text)) == (whole, queue)
    assert whole.startswith(cloud_of(text))


@pytest.mark.parametrize("text", ["", "ibm", "aws/", "aws/EU", "aws/a/b", "/aws", "AWS", "aws/" + "x" * 33])
def test_other_connections_are_refused_with_the_choice(text: str) -> None:
    with pytest.raises(ValueError, match="write one of aws, azure, gcp, onprem"):
        normalise(text)
