"""What a worker refuses because of the container that a request would write to, as its store describes it."""

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.facts import Containers
from activities.policing import Guard
from contracts.errors import ErrorKind, failure
from contracts.fanout import GatherPart, GatherRequest
from contracts.leaves import Leave
from contracts.policy import Place, Policy, StoreFacts
from contracts.storage import ContainerReceipt
from tests.unit.test_policing import MARKED, RAW, REF, UID, copied, job, judged, reads

HERE = Place(connection="aws/default", region="eu-central-1")
TARGET = f"s3://mine/runs/{UID}/classes.pii/b/out"
POLICY = Policy.model_validate(
    {
        "classes": {"pii": {"regions": ["eu-*"], "encryption": "customer_key"}},
        "data": {"s3://landing/": "pii"},
        "waivers": {"encryption": ["dana"]},
    }
)
LOCKED = StoreFacts(uri="s3://mine/", region="eu-central-1", encryption="customer_key")


class Said:
    """Containers as a test describes them."""

    def __init__(self, *facts: StoreFacts) -> None:
        self.facts = {held.uri: held for held in facts}
        self.asked: list[str] = []

    def of(self, uri: str, *, tls: bool = False) -> StoreFacts | None:
        self.asked.append(uri)
        return self.facts.get(uri)


def guard(containers: Any, policy: Policy = POLICY) -> Guard:
    return Guard(policy, HERE, containers=containers)


@pytest.mark.parametrize(
    ("facts", "rules"),
    [
        pytest.param(LOCKED, [], id="as demanded"),
        pytest.param(LOCKED.model_copy(update={"encryption": "provider"}), ["encryption"], id="another key"),
        pytest.param(LOCKED.model_copy(update={"encryption": None}), ["encryption"], id="it does not say"),
        pytest.param(LOCKED.model_copy(update={"region": "us-east-1"}), ["regions"], id="it lies elsewhere"),
        pytest.param(LOCKED.model_copy(update={"region": ""}), [], id="it does not say where it lies"),
    ],
)
def test_what_is_written_is_judged_by_the_container_that_it_would_lie_in(
    facts: StoreFacts, rules: list[str]
) -> None:
    for request in (copied(RAW, TARGET), job(RAW, TARGET), job(MARKED, TARGET)):
        assert judged(request, guard=guard(Said(facts))) == rules


def test_each_container_of_a_request_is_judged() -> None:
    other = StoreFacts(uri="s3://other/", encryption="provider")
    whole = copied(RAW, TARGET)
    both = whole.model_copy(
        update={"items": (*whole.items, *copied(RAW, TARGET.replace("mine", "other")).items)}
    )
    assert judged(both, guard=guard(Said(LOCKED, other))) == ["encryption"]


def test_a_container_that_is_not_there_is_left_to_whoever_writes() -> None:
    assert judged(copied(RAW, TARGET), guard=guard(Said())) == []


def test_a_read_and_a_policy_without_demands_ask_no_store() -> None:
    said = Said(LOCKED)
    judged(reads(RAW, "aws"), guard=guard(said))
    judged(copied(RAW, TARGET), guard=guard(said, Policy.model_validate({"classes": {"pii": {}}})))
    assert said.asked == []


def test_a_waiver_excuses_it_also_where_the_items_of_a_stage_are_put_together() -> None:
    open_ = Said(LOCKED.model_copy(update={"encryption": "provider"}))
    leave = Leave(waived={"encryption": "dana"}, sources=(RAW, TARGET), targets=(TARGET,))
    gather = GatherRequest(parts=(GatherPart(source=TARGET, target=TARGET),), owner="", leave=REF)
    assert judged(gather.model_copy(update={"leave": None}), leave, guard(open_)) == ["encryption"]
    assert judged(gather, leave, guard(open_)) == judged(copied(RAW, TARGET, REF), leave, guard(open_)) == []


class Store:
    """One that counts how often it is asked, and fails as a test says."""

    def __init__(self, error: ErrorKind | None = None) -> None:
        self.error = error
        self.asked = 0

    def ensure_container(self, uri: str, *, create: bool) -> ContainerReceipt:
        self.asked += 1
        if self.error:
            raise failure(self.error, "no")
        return ContainerReceipt(uri=uri, created=create, encrypted=True, region="eu-central-1")

    def refuses_plain(self, uri: str) -> bool | None:
        return True


def containers(store: Any) -> Containers:
    return Containers(store, lambda error, ref: failure(ErrorKind.UNAVAILABLE, str(error)))


def test_a_store_is_asked_once_a_minute_for_a_container() -> None:
    store = Store()
    held = containers(store)
    expected = StoreFacts(uri="s3://mine/", region="eu-central-1", encryption="provider")
    assert [held.of("s3://mine/") for _ in range(3)] == [expected] * 3
    assert store.asked == 1


@pytest.mark.parametrize(
    ("error", "found"),
    [(ErrorKind.SOURCE_MISSING, None), (ErrorKind.ACCESS_DENIED, StoreFacts(uri="s3://mine/"))],
    ids=["it is not there", "nobody may look"],
)
def test_what_a_store_may_not_be_asked_is_unknown(error: ErrorKind, found: StoreFacts | None) -> None:
    assert containers(Store(error)).of("s3://mine/") == found


def test_a_store_that_is_away_is_asked_again_and_nothing_is_written_meanwhile() -> None:
    held = guard(containers(Store(ErrorKind.UNAVAILABLE)))
    with pytest.raises(ApplicationError) as raised:
        asyncio.run(held.check(copied(RAW, TARGET), None))  # type: ignore[arg-type] # nobody is asked for leave
    assert (raised.value.type, raised.value.non_retryable) == (ErrorKind.UNAVAILABLE, False)
