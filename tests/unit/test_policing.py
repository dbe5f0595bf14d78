"""What a worker refuses by its own policy, whatever a request says of itself, and what leave it believes."""

import asyncio
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.policies import read, region_of
from activities.policing import Guard
from contracts.artifacts import Artifact, ObjectStat
from contracts.copies import CopyItem, CopyRequest, PushPartsRequest, PushRequest, SealRequest
from contracts.errors import ErrorKind
from contracts.fanout import GatherPart, GatherRequest
from contracts.grants import Measure, ReadGrant, ReadGrantRequest, WriteGrantRequest, WriteIntent
from contracts.jobs import JobRequest
from contracts.leaves import Leave, LeaveRef
from contracts.policy import Place, Policy
from contracts.storage import StatRequest
from contracts.tables import LoadRequest

UID = "ab" * 16
POLICY = Policy.model_validate(
    {
        "classes": {"pii": {"clouds": ["aws", "azure"], "regions": ["eu-*", "westeurope"]}, "open": {}},
        "data": {"s3://landing/": "pii"},
        "images": ["ghcr.io/team/"],
        "places": {"azure/default": "westeurope", "azure/us": "eastus", "gcp/default": "europe-west4"},
        "approvals": {"crossing": ["open"]},
        "waivers": {"regions": ["dana"], "crossing": ["erin"], "declassify": ["erin"]},
    }
)
GUARD = Guard(POLICY, Place(connection="aws/default", region="eu-central-1"))
RAW, MARKED, PLAIN = "s3://landing/a", f"s3://c/runs/{UID}/classes.pii/a/data", f"s3://c/runs/{UID}/b/out/x"
REF = LeaveRef(run="p/k", about="b")
YES = Leave(
    declassified_by="erin",
    sources=(RAW, MARKED),
    targets=(f"s3://c/runs/{UID}/b/",),
    connections=("azure/us",),
)


class Given:
    """What one run says of one thing."""

    def __init__(self, leave: Leave | None = None) -> None:
        self.leave = leave
        self.asked: list[LeaveRef] = []

    async def given(self, ref: LeaveRef) -> Leave | None:
        self.asked.append(ref)
        return self.leave


def stat(uri: str) -> ObjectStat:
    return ObjectStat(uri=uri, size_bytes=1, etag="e")


def reads(uri: str, to: str = "", leave: LeaveRef | None = None) -> ReadGrantRequest:
    return ReadGrantRequest(objects=(stat(uri),), destination=to, leave=leave)


def copied(source: str, target: str, leave: LeaveRef | None = None, grant: Any = None) -> CopyRequest:
    item = CopyItem(source=stat(source), target=target, grant=grant)
    return CopyRequest(items=(item,), leave=leave)


def job(source: str, target: str, **said: Any) -> JobRequest:
    held = Artifact(uri=source, kind="file", size_bytes=1, object_count=1, digest="d")
    return JobRequest.model_validate(
        {
            "run": {"pipeline": "p", "key": "k", "run_uid": UID},
            "stage": "b",
            "generation": 1,
            "kind": "train",
            "command": [],
            "inputs": {"x": held},
            "outputs": {"out": target} if target else {},
            "image": "ghcr.io/team/x",
            **said,
        }
    )


def intent(source: str, target: str) -> WriteIntent:
    return WriteIntent(target=target, measure=Measure(source=stat(source), crc32c="", md5="", sha256=""))


def judged(request: object, leave: Leave | None = None, guard: Guard = GUARD) -> list[str]:
    """The rules that a request breaks."""
    try:
        asyncio.run(guard.check(request, Given(leave)))
    except ApplicationError as error:
        final = error.type == ErrorKind.POLICY_VIOLATION and error.non_retryable
        return (
            [f"not final: {error}"]
            if not final
            else [piece.split(":")[0].split(",")[0] for piece in error.message.split("rule ")[1:]]
        )
    return []


@pytest.mark.parametrize(
    ("request_", "rules"),
    [
        pytest.param(reads(RAW, "azure"), [], id="a read that stays within the border"),
        pytest.param(reads(RAW, "azure/us"), ["regions"], id="a read across the border"),
        pytest.param(reads(RAW, "gcp"), ["clouds", "regions"], id="a read to another cloud"),
        pytest.param(reads(RAW, "azure/unknown"), ["regions"], id="a read to where nobody knows"),
        pytest.param(reads(RAW), ["clouds"], id="a read to nowhere named"),
        pytest.param(reads(MARKED, "azure/us"), ["regions"], id="a read of what a run left"),
        pytest.param(reads("s3://other/a"), [], id="a read of what has no class"),
        pytest.param(reads(f"s3://c/runs/{UID}/classes.open/a/x", "gcp"), ["crossing"], id="a crossing"),
        pytest.param(copied(RAW, MARKED), [], id="a copy that keeps the class"),
        pytest.param(copied(RAW, PLAIN), ["declassify"], id="a copy that loses the class"),
        pytest.param(SealRequest(source=stat(RAW), target=PLAIN, parts=()), ["declassify"], id="a seal"),
        pytest.param(WriteGrantRequest(intents=(intent(RAW, PLAIN),)), ["declassify"], id="an exact write"),
        pytest.param(
            GatherRequest(parts=(GatherPart(source=MARKED, target=PLAIN),), owner=""),
            ["declassify"],
            id="a gathering",
        ),
        pytest.param(job(MARKED, PLAIN), ["declassify"], id="a job that loses the class"),
        pytest.param(
            job(RAW, f"s3://c/runs/{UID}/classes.pii/b/g1/out/"), [], id="a job that keeps the class"
        ),
        pytest.param(job("s3://other/a", PLAIN, image="ghcr.io/teams/x"), ["images"], id="an image"),
        pytest.param(StatRequest(uri=RAW), [], id="what moves nothing"),
    ],
)
def test_a_worker_judges_what_a_request_would_do(request_: Any, rules: list[str]) -> None:
    assert judged(request_) == rules


def test_a_worker_across_the_border_takes_in_nothing_of_the_class() -> None:
    abroad = Guard(POLICY, Place(connection="aws/us", region="us-east-1"))
    assert judged(copied(RAW, MARKED), guard=abroad) == ["regions"]
    assert judged(job(RAW, MARKED), guard=abroad) == ["regions"]
    load = {"key": {"run": {"pipeline": "p", "key": "k", "run_uid": UID}, "stage": "b", "attempt": 1}}
    held = Artifact(uri=RAW, kind="file", size_bytes=1, object_count=1, digest="d")
    asked = LoadRequest.model_validate({**load, "table": "d.t", "files": held, "columns": []})
    tables = Guard(
        POLICY,
        Place(connection="aws/default", region="eu-central-1"),
        tables=Place(connection="aws/default", region="US"),
    )
    assert judged(asked) == []
    assert judged(asked, guard=tables) == ["regions"]


def test_a_push_is_judged_by_where_it_goes_before_a_byte_leaves() -> None:
    pushed = PushRequest.model_validate(
        {
            "grants": [{"intent": intent(RAW, MARKED), "expires_at": "2026-01-01T00:00:00Z"}],
            "destination": "azure/us",
        }
    )
    assert judged(pushed) == ["regions"]
    assert judged(pushed.model_copy(update={"destination": "azure"})) == []


@pytest.mark.parametrize(
    ("target", "url", "refused"),
    [
        ("az://c/x", "https://account.blob.core.windows.net/c/x?sig=s", False),
        ("az://c/x", "http://127.0.0.1:10000/account/c/x?sig=s", False),
        ("az://c/x", "https://account.blob.core.windows.net/c/y?sig=s", True),
        ("az://c/x", "https://s3.amazonaws.com/c/x?sig=s", True),
        ("s3://c/x", "https://s3.amazonaws.com/c/x?sig=s", True),
        ("", "https://account.blob.core.windows.net/c/x?sig=s", False),
        ("", "https://storage.googleapis.com/c/x?sig=s", True),
        ("", "https://c.s3.eu-central-1.amazonaws.com/x?sig=s", True),
    ],
)
def test_nothing_is_sent_to_another_cloud_than_it_is_said_to_go_to(
    target: str, url: str, refused: bool
) -> None:
    until = {"expires_at": "2026-01-01T00:00:00Z", "url": url}
    part = {"index": 0, "size_bytes": 1, "crc32c": "", "sha256": ""}
    sent = (
        PushRequest.model_validate(
            {"grants": [{"intent": intent(PLAIN, target), **until}], "destination": "azure"}
        )
        if target
        else PushPartsRequest.model_validate(
            {"source": stat(PLAIN), "grants": [{"part": part, **until}], "destination": "azure"}
        )
    )
    told = pytest.raises(ApplicationError, match="is for elsewhere than azure")
    with told if refused else nullcontext():
        asyncio.run(GUARD.check(sent, Given()))


def test_an_approved_declassification_takes_the_class_off_for_its_own_data_alone() -> None:
    assert judged(copied(MARKED, PLAIN, REF), YES) == []
    assert judged(job(MARKED, PLAIN, leave=REF), YES) == []
    assert judged(reads(MARKED, "azure/us", REF), YES) == []
    assert judged(copied(MARKED, PLAIN), YES) == ["declassify"]
    assert judged(copied("s3://landing/b", PLAIN, REF), YES) == ["declassify"]
    assert judged(copied(MARKED, "s3://c/runs/other/b/x", REF), YES) == ["declassify"]
    assert judged(copied(MARKED, f"s3://c/runs/{UID}/b/../../x", REF), YES) == ["declassify"]
    assert judged(reads(MARKED, "gcp", REF), YES) == ["clouds", "regions"]


def test_the_yes_of_somebody_who_may_not_declassify_is_none() -> None:
    stranger = YES.model_copy(update={"declassified_by": "guy"})
    assert judged(copied(MARKED, PLAIN, REF), stranger) == ["declassify"]
    assert judged(copied(MARKED, PLAIN, REF), Leave()) == ["declassify"]
    assert judged(copied(MARKED, PLAIN, REF), None) == ["declassify"]


def test_a_waiver_excuses_its_own_rule_if_the_worker_knows_who_gave_it() -> None:
    waived = Leave(waived={"regions": "dana"}, sources=(RAW,), connections=("azure/us", "gcp/default"))
    assert judged(reads(RAW, "azure/us", REF), waived) == []
    assert judged(reads(RAW, "gcp", REF), waived) == ["clouds"]
    forged = waived.model_copy(update={"waived": {"regions": "guy", "clouds": "dana"}})
    assert judged(reads(RAW, "azure/us", REF), forged) == ["regions"]


def test_a_job_that_declassifies_may_not_run_where_its_inputs_may_not_lie() -> None:
    abroad = Guard(POLICY, Place(connection="aws/us", region="us-east-1"))
    assert judged(job(MARKED, PLAIN, leave=REF), YES, abroad) == ["regions"]


def test_nobody_is_asked_for_leave_that_is_not_needed() -> None:
    given = Given(YES)
    asyncio.run(GUARD.check(copied(RAW, MARKED, REF), given))
    assert given.asked == []


@pytest.mark.parametrize(
    ("url", "about", "fits"),
    [
        ("http://127.0.0.1:9000/other/a?sig=1", "s3://other/a", True),
        ("https://other.s3.eu-central-1.amazonaws.com/a?sig=1", "s3://other/a", True),
        ("https://landing.s3.eu-central-1.amazonaws.com/a", "s3://other/a", False),
        ("https://s3.amazonaws.com/landing/other/a", "s3://other/a", False),
        ("https://account.blob.core.windows.net/c/a%20b", "az://c/a b", True),
        ("http://127.0.0.1:10000/account/c/a", "az://c/a", True),
        ("https://account.blob.core.windows.net/secret/c/a", "az://c/a", False),
        ("https://storage.googleapis.com/c/a", "gs://c/a", True),
    ],
)
def test_a_grant_that_is_for_another_object_than_it_is_said_to_be_is_not_used(
    url: str, about: str, fits: bool
) -> None:
    grant = ReadGrant.model_validate(
        {"source": stat(about), "url": url, "expires_at": "2026-01-01T00:00:00Z"}
    )
    request = copied(about, "s3://c/x", grant=grant)
    if fits:
        asyncio.run(GUARD.check(request, Given()))
        return
    with pytest.raises(ApplicationError, match="is for another object") as raised:
        asyncio.run(GUARD.check(request, Given()))
    assert raised.value.type == ErrorKind.ACCESS_DENIED
    assert "sig" not in raised.value.message


def test_without_a_policy_all_is_as_it_was() -> None:
    free = Guard(Policy(), Place(connection="aws/default"))
    assert judged(reads(RAW), guard=free) == judged(copied(RAW, PLAIN), guard=free) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("classes: [", "policy.yaml:1: it is no YAML"),
        (f"images: {'[' * 3000}{']' * 3000}", "policy.yaml: it is no YAML"),
        ("waivers: {regions: ['']}", "policy.yaml:1: waivers.regions.0: "),
        (
            "classes: {a: {}}\ndata:\n  s3://b/x/../y/: a\n",
            "a name has no '.' or '..' between slashes",
        ),
        ("- a", "policy.yaml:1: a policy is a mapping of rules"),
        (
            "classes:\n  a: {}\ndata:\n  s3://b/: b\n",
            "policy.yaml:4: data.s3://b/: there is no class 'b' under classes; there is a",
        ),
        (
            "classes:\n  pii:\n    clouds: [azur]\n",
            "policy.yaml:3: classes.pii.clouds: 'azur' is not a connection",
        ),
        ("tls: required\nencrypt: provider\n", "policy.yaml:2: encrypt: there is no such rule"),
        ("waivers:\n  residency: [dana]\n", "policy.yaml:2: waivers.residency: Input should be 'clouds'"),
        ("approvals:\n  price: 20\n", "policy.yaml:2: approvals.price: 20 is no amount of money"),
        (
            "tls: required\napprovals:\n  price: 20 USD\n",
            "policy.yaml:3: approvals.price: approvals.price asks for an approval that nobody may give",
        ),
    ],
)
def test_a_mistake_in_a_policy_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"policy\.yaml") as raised:
        read(file)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_policy_that_is_not_there_or_lies_about_a_region_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be read: No such file"):
        read(tmp_path / "absent.yaml")
    assert region_of(POLICY, "azure", "") == "westeurope"
    with pytest.raises(ValueError, match="places says that azure/us lies in eastus, its settings say westus"):
        region_of(POLICY, "azure/us", "westus")
