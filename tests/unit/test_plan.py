"""The plan of a run, and what a queue's description means."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueueStats
from temporalio.api.workflowservice.v1 import DescribeTaskQueueResponse
from temporalio.exceptions import ApplicationError

from activities.planning import Planner
from activities.queues import report_of
from contracts.connections import ConnectionReport
from contracts.errors import ErrorKind
from contracts.jobs import RunRef
from contracts.plan import Plan, PlanRequest
from contracts.spec import PipelineSpec

RUN = RunRef(pipeline="p", key="k", run_uid="ab" * 16)
CONTAINERS = {"aws": "s3://c/", "azure": "az://c/", "gcp": "gs://c/", "onprem": "file:///"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def plan(stages: dict[str, Any], *, hidden: tuple[str, ...] = ()) -> Plan:
    whole = {
        name: {"kind": "train", "on": "aws", "command": "x", "outputs": ["out"], **stage}
        for name, stage in stages.items()
        if "kind" not in stage
    }
    whole |= {name: stage for name, stage in stages.items() if "kind" in stage}
    spec = PipelineSpec.model_validate({"pipeline": "p", "stages": {name: whole[name] for name in stages}})
    connections = {
        f"{cloud}/default": ConnectionReport(
            connection=f"{cloud}/default",
            identity="me",
            container=container,
            readable_from_outside=cloud not in hidden,
        )
        for cloud, container in CONTAINERS.items()
    }
    return Planner().make(PlanRequest(run=RUN, spec=spec, connections=connections))


def test_the_same_request_makes_the_same_plan_whatever_the_order_of_its_stages() -> None:
    stages = {
        "a": {},
        "b": {"on": "gcp", "inputs": {"x": "a"}},
        "c": {"on": "gcp", "inputs": {"x": "a"}, "after": ["b"]},
    }
    one, two = plan(stages), plan(stages)
    assert one == two
    other = plan(dict(reversed(stages.items())))
    assert (other.placements, other.transfers) == (one.placements, one.transfers)
    assert one.order.index("a") < one.order.index("b") < one.order.index("c")


def test_an_artifact_goes_to_a_connection_once_and_nowhere_when_it_is_there() -> None:
    found = plan(
        {
            "a": {},
            "b": {"inputs": {"x": "a"}},
            "c": {"on": "gcp", "inputs": {"x": "a"}},
            "d": {"on": "gcp", "inputs": {"y": "a.out"}},
        }
    )
    assert list(found.transfers) == ["a.out-to-gcp.default"]
    assert found.placements["b"].transfers == ()
    assert found.placements["c"].transfers == found.placements["d"].transfers == ("a.out-to-gcp.default",)


@pytest.mark.parametrize(("hidden", "method"), [((), "pull"), (("gcp",), "pull"), (("aws",), "push")])
def test_who_moves_depends_on_who_can_be_read(hidden: tuple[str, ...], method: str) -> None:
    found = plan({"a": {}, "b": {"on": "gcp", "inputs": {"x": "a"}}}, hidden=hidden)
    assert found.transfers["a.out-to-gcp.default"].method == method


INGEST: dict[str, Any] = {"kind": "copy", "on": "azure", "source": "s3://theirs/data/"}
SCORE: dict[str, Any] = {"on": "azure", "inputs": {"x": "in"}}


@pytest.mark.parametrize(
    ("stages", "hidden", "allowed"),
    [
        pytest.param({"in": INGEST}, (), True, id="ingest"),
        pytest.param({"in": INGEST, "score": SCORE}, (), True, id="used-where-it-lies"),
        pytest.param({"in": INGEST}, ("azure",), True, id="private-target"),
        pytest.param({"in": INGEST}, ("aws",), False, id="private-source"),
        pytest.param({"in": {**INGEST, "server_side": False}}, (), False, id="not-wanted"),
        pytest.param({"in": INGEST, "score": {**SCORE, "on": "gcp"}}, (), False, id="goes-on"),
        pytest.param(
            {"in": INGEST, "again": {"kind": "copy", "on": "azure", "inputs": {"x": "in"}}},
            (),
            False,
            id="copied-on",
        ),
    ],
)
def test_a_store_reads_by_itself_what_it_can_reach_and_nobody_holds_to_a_sha256(
    stages: dict[str, Any], hidden: tuple[str, ...], allowed: bool
) -> None:
    transfers = plan(stages, hidden=hidden).transfers
    assert transfers["in.data-to-azure.default"].server_side is allowed
    assert not any(transfer.server_side for key, transfer in transfers.items() if not key.startswith("in."))


def test_what_a_stage_left_passes_a_worker_that_reads_it() -> None:
    found = plan({"a": {}, "b": {"on": "azure", "inputs": {"x": "a"}}})
    assert not found.transfers["a.out-to-azure.default"].server_side
    assert not plan({"in": {**INGEST, "on": "gcp"}}).transfers["in.data-to-gcp.default"].server_side


def test_two_hidden_stores_cannot_meet() -> None:
    with pytest.raises(ApplicationError) as refused:
        plan({"a": {}, "b": {"on": "gcp", "inputs": {"x": "a"}}}, hidden=("aws", "gcp"))
    assert refused.value.type == ErrorKind.UNSUPPORTED
    assert refused.value.non_retryable


def test_everything_a_run_leaves_lies_below_its_own_prefix() -> None:
    found = plan(
        {
            "a": {},
            "in": {"kind": "copy", "on": "gcp", "source": "file:///x"},
            "b": {"on": "gcp", "inputs": {"x": "a"}},
        }
    )
    for placement in found.placements.values():
        assert f"runs/{RUN.run_uid}/" in placement.prefix
        assert placement.prefix.endswith("/")
    for transfer in found.transfers.values():
        assert transfer.target.startswith(f"gs://c/runs/{RUN.run_uid}/")


def test_a_plan_of_a_spec_with_mistakes_is_refused_with_all_of_them() -> None:
    with pytest.raises(ApplicationError, match=r"no stage 'nope'.*no other stage 'gone'") as refused:
        plan({"a": {"inputs": {"x": "nope"}}, "b": {"after": ["gone"]}})
    assert refused.value.type == ErrorKind.INVALID_REQUEST


def described(*, polls: list[float] = (), waiting: int = 0, oldest: float = 0) -> DescribeTaskQueueResponse:  # type: ignore[assignment]
    pollers = []
    for seconds in polls:
        at = Timestamp()
        at.FromDatetime(NOW - timedelta(seconds=seconds))
        pollers.append(PollerInfo(last_access_time=at))
    age = Duration()
    age.FromTimedelta(timedelta(seconds=oldest))
    stats = TaskQueueStats(approximate_backlog_count=waiting, approximate_backlog_age=age)
    return DescribeTaskQueueResponse(pollers=pollers, stats=stats)


@pytest.mark.parametrize(
    ("answer", "absent"),
    [
        pytest.param(described(), True, id="nobody-ever"),
        pytest.param(described(polls=[1]), False, id="just-now"),
        pytest.param(described(polls=[65]), False, id="in-a-long-poll"),
        pytest.param(described(polls=[200]), True, id="long-ago"),
        pytest.param(described(polls=[200, 3]), False, id="one-of-two"),
        pytest.param(described(polls=[30], waiting=1, oldest=20), True, id="gone-before-the-task-came"),
        pytest.param(described(polls=[5], waiting=100, oldest=300), False, id="busy"),
        pytest.param(described(polls=[9], waiting=1, oldest=8), False, id="a-task-just-came"),
    ],
)
def test_a_worker_is_absent_when_nobody_polls_and_not_when_it_is_busy(
    answer: DescribeTaskQueueResponse, absent: bool
) -> None:
    assert report_of("q", answer, NOW).absent is absent
