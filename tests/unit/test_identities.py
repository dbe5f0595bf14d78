"""Digests and names: the same thing has the same identity, whatever the order it was told in."""

import hashlib
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.artifacts import (
    Artifact,
    ManifestEntry,
    folder_artifact,
    folder_digest,
    manifest_line,
    read_manifest_line,
)
from contracts.code import CodeBundle, code_digest, pack
from contracts.jobs import JobRequest, RunRef
from contracts.machines import Machine, Resources
from contracts.spec import PipelineSpec

FILES = st.dictionaries(
    st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?\.py", fullmatch=True),
    st.binary(max_size=50),
    min_size=1,
    max_size=6,
)


@given(FILES)
def test_a_bundle_unpacks_to_what_was_packed(files: dict[str, bytes]) -> None:
    if any(f"{one}/" in other for one in files for other in files):
        return
    assert pack(files).files() == dict(sorted(files.items()))


@given(FILES, st.randoms())
def test_the_digest_of_code_does_not_depend_on_order(files: dict[str, bytes], chance: random.Random) -> None:
    names = list(files)
    chance.shuffle(names)
    assert code_digest({name: files[name] for name in names}) == code_digest(files)


def test_digests_of_code_see_where_one_file_ends_and_the_next_begins() -> None:
    assert code_digest({"a": b"bc"}) != code_digest({"ab": b"c"})
    assert code_digest({"a": b"1", "b": b"2"}) != code_digest({"a": b"1b\x002"})


def test_a_bundle_that_is_not_what_its_digest_says_is_refused() -> None:
    bundle = pack({"a.py": b"1"})
    with pytest.raises(ValueError, match="not what its digest says"):
        CodeBundle(digest="0" * 64, archive=bundle.archive).files()


@pytest.mark.parametrize("name", ["../out.py", "/etc/passwd", "a/../../b.py"])
def test_a_bundle_with_a_file_outside_its_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a regular file below its folder"):
        pack({name: b"x"}).files()


ENTRIES = st.lists(
    st.builds(
        ManifestEntry,
        name=st.text(min_size=1, max_size=8),
        size_bytes=st.integers(0, 9),
        sha256=st.just("ab"),
    ),
    max_size=6,
)


@given(ENTRIES, st.randoms())
def test_the_digest_of_a_folder_does_not_depend_on_order(
    entries: list[ManifestEntry], chance: random.Random
) -> None:
    shuffled = list(entries)
    chance.shuffle(shuffled)
    assert folder_digest(shuffled) == folder_digest(entries)


AWKWARD = st.one_of(st.text("a\t\n\\\x85x01\x7f", min_size=1, max_size=6), st.text(min_size=1, max_size=8))
"""Names that could be taken for lines or for escaped names, and any others."""


@pytest.mark.parametrize("name", ["a.csv", "with space", "100%", "a\\b", "a%20b", "überß-☃", "-", "\u2028"])
def test_an_ordinary_name_stands_in_its_line_as_it_is(name: str) -> None:
    assert manifest_line(ManifestEntry(name=name, size_bytes=1, sha256="ab")) == f"{name}\t1\tab\n"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a\tb", "\\a\\x09b"),
        ("a\nb\\c", "\\a\\x0ab\\x5cc"),
        ("\\a", "\\\\x5ca"),
        ("\x7f\x85", "\\\\x7f\\x85"),
    ],
)
def test_a_name_that_could_be_mistaken_is_escaped(name: str, written: str) -> None:
    assert manifest_line(ManifestEntry(name=name, size_bytes=1, sha256="ab")) == f"{written}\t1\tab\n"


@given(AWKWARD)
def test_a_manifest_line_is_read_back_as_what_it_was_of(name: str) -> None:
    entry = ManifestEntry(name=name, size_bytes=3, sha256="ab")
    line = manifest_line(entry)
    assert read_manifest_line(line) == entry
    assert (line.count("\n"), line.count("\t"), line[-1]) == (1, 2, "\n")


@given(AWKWARD, AWKWARD)
def test_two_names_never_have_one_line(one: str, other: str) -> None:
    lines = {manifest_line(ManifestEntry(name=name, size_bytes=3, sha256="ab")) for name in (one, other)}
    assert len(lines) == len({one, other})


def test_a_line_break_in_a_name_makes_no_second_object() -> None:
    sha256 = "0" * 64
    single = [ManifestEntry(name=f"a\t1\t{sha256}\nb", size_bytes=1, sha256=sha256)]
    double = [ManifestEntry(name=name, size_bytes=1, sha256=sha256) for name in "ab"]
    assert folder_digest(single) != folder_digest(double)


@given(st.lists(AWKWARD, max_size=6, unique=True))
def test_the_lines_of_a_folder_are_in_the_order_of_the_bytes_of_their_names(names: list[str]) -> None:
    entries = [ManifestEntry(name=name, size_bytes=3, sha256="ab") for name in names]
    lines = [manifest_line(entry) for entry in sorted(entries, key=lambda entry: entry.name.encode())]
    assert folder_digest(entries) == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_digest_of_an_ordinary_folder_is_the_one_it_always_was() -> None:
    entries = [ManifestEntry(name=name, size_bytes=1, sha256="00" * 32) for name in ("b/c", "a b", "ü")]
    assert folder_digest(entries) == "b48879e2476d1ebc5705a9c6919896136ed41706a7206c79b160c7db6c988449"


def test_a_folder_weighs_what_its_objects_weigh() -> None:
    entries = [ManifestEntry(name=str(size), size_bytes=size, sha256="x") for size in (1, 2, 3)]
    folder = folder_artifact("s3://b/x/", iter(entries))
    assert (folder.size_bytes, folder.object_count, folder.kind) == (6, 3, "folder")


def spec(**params: Any) -> PipelineSpec:
    stages = {name: {"kind": "train", "on": "aws", "command": "x"} for name in ("a", "b")}
    return PipelineSpec.model_validate({"pipeline": "p", "params": params, "stages": stages})


def test_the_digest_of_a_spec_depends_on_its_params_and_not_on_their_order() -> None:
    assert spec(x=1, y=2).digest == spec(y=2, x=1).digest
    assert spec(x=1).digest != spec(x=2).digest


def test_a_spec_has_the_same_digest_after_its_journey() -> None:
    sent = spec(x=1, y=0.5, z=True, t="1")
    assert PipelineSpec.model_validate_json(sent.model_dump_json(by_alias=True)).digest == sent.digest


@pytest.mark.parametrize("value", [True, 1, 1.0, "1", "true"])
def test_a_param_keeps_its_type_on_its_journey(value: Any) -> None:
    sent = spec(x=value)
    back = PipelineSpec.model_validate_json(sent.model_dump_json(by_alias=True)).params["x"]
    assert (back, type(back)) == (value, type(value))


RUN = RunRef(pipeline="p", key="k", run_uid="0123456789abcdef" * 2)


def job(stage: str = "train", generation: int = 1, **fields: Any) -> JobRequest:
    whole = {
        "run": RUN,
        "stage": stage,
        "generation": generation,
        "kind": "train",
        "command": (("x",),),
        **fields,
    }
    return JobRequest.model_validate(whole)


@given(st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True), st.integers(1, 999))
def test_the_name_of_a_job_suits_every_cloud(stage: str, generation: int) -> None:
    name = job(stage, generation).name
    assert len(name) <= 63
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)
    assert name.endswith(f"-g{generation}")


def test_generations_of_a_job_differ_in_nothing_but_their_number() -> None:
    first = job(outputs={"out": "s3://b/g1/out/"})
    second = job(generation=2, outputs={"out": "s3://b/g2/out/"})
    assert first.digest == second.digest
    assert first.name[:-1] == second.name[:-1]


class LaterResources(Resources):
    reserved: bool = False


class LaterJob(JobRequest):
    resources: LaterResources = LaterResources()
    priority: int | None = None


def test_a_field_that_a_later_version_adds_gives_no_job_another_name() -> None:
    now = job(resources={"cpu": 4}, env={"A": "1"})
    later = LaterJob.model_validate_json(now.model_dump_json())
    assert (later.name, later.tags) == (now.name, now.tags)
    assert LaterJob.model_validate({**now.model_dump(), "priority": 1}).digest != now.digest


def test_a_job_that_asks_for_nothing_new_has_the_name_it_had_before_machines_were_planned() -> None:
    asked = job(resources={"cpu": 4, "memory": "8GiB"}, env={"A": "1"})
    assert asked.name == "cw-train-0123456789ab-dfc73c74-g1"


def test_the_machine_that_a_plan_chose_is_no_part_of_a_jobs_name() -> None:
    machine = Machine(instance="ml.m5.large", why="a test")
    assert job(machine=machine).name == job().name


class LaterSpec(PipelineSpec):
    owner: str = ""


def test_a_field_that_a_later_version_adds_makes_no_spec_another_one() -> None:
    now = spec(x=1)
    assert LaterSpec.model_validate_json(now.model_dump_json(by_alias=True)).digest == now.digest


def test_the_digest_of_a_job_does_not_depend_on_the_order_of_its_inputs() -> None:
    artifact = Artifact(uri="s3://b/x", kind="file", size_bytes=1, object_count=1, digest="d")
    other = artifact.model_copy(update={"uri": "s3://b/y"})
    one = job(inputs={"a": artifact, "b": other}, env={"A": "1", "B": "2"})
    two = job(inputs={"b": other, "a": artifact}, env={"B": "2", "A": "1"})
    assert one.digest == two.digest
    assert one.digest != job(inputs={"a": other, "b": artifact}, env={"A": "1", "B": "2"}).digest
