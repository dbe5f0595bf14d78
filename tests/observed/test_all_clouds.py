"""One run over every cloud, seen from outside: a trace, the clouds' ids, metrics as docs name them, and each vendor's sink."""

import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.docs.test_observability import EXPRESSIONS, selectors
from tests.house import CHECKOUT, until
from tests.observed.all_clouds import Seen, pipeline
from tests.observed.receiver import receiving
from tests.observed.sinks import azure_monitor, cloud_monitoring
from tests.pipelines import CLOUDS
from workers.catalogue import WORKERS


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("seen")
    with receiving() as received, azure_monitor(folder) as azure, cloud_monitoring() as google:
        held = Seen(Path(tempfile.mkdtemp(prefix="cw-")), folder, received, azure, google)
        try:
            held.house.sandbox("up")
            held.hire()
            for worker in WORKERS:
                until(lambda name=worker: "temporal_" in held.scrape(name), f"{worker} is measured")
            # For some polls the control plane of one cloud does not tell.
            silent = ["unavailable", "--times", "8", "--match", "DescribeTrainingJob"]
            held.house.sandbox("fault", "sagemaker", *silent)
            held.run(pipeline(folder))
            yield held
        finally:
            held.close()


def test_a_run_over_every_cloud_is_one_trace_that_the_starter_tells(seen: Seen) -> None:
    waited = {f"causeway-{cloud}" for cloud in CLOUDS}
    until(lambda: {name for name, _ in seen.spans("RunActivity:jobs.wait")} == waited, "every wait")
    until(lambda: seen.spans("CompleteWorkflow:pipeline"), "the run's end")
    (told,) = re.findall(r"^trace ([0-9a-f]{32})$", seen.said, re.MULTILINE)
    spans = [(name, span) for name, span in seen.received.spans if span.trace_id.hex() == told]
    assert {name for name, _ in spans} == {f"causeway-{name}" for name in ("starter", *WORKERS)}


def test_spans_name_the_job_as_its_cloud_knows_it(seen: Seen) -> None:
    until(lambda: len(seen.spans("RunActivity:jobs.submit")) >= len(CLOUDS), "every submit")
    for name in ("RunActivity:jobs.submit", "RunActivity:jobs.wait"):
        for worker, attributes in seen.spans(name):
            cloud = worker.removeprefix("causeway-")
            assert attributes["causeway.job.id"].string_value, (name, cloud)
            stage = attributes["causeway.stage"].string_value
            assert attributes["causeway.job.name"].string_value in seen.house.jobs(cloud, stage)


@pytest.mark.parametrize("cloud", ["aws", "azure"])
def test_spans_name_requests_as_their_cloud_knows_them(seen: Seen, cloud: str) -> None:
    submits = [
        held for worker, held in seen.spans("RunActivity:jobs.submit") if worker == f"causeway-{cloud}"
    ]
    assert submits
    ids = [item.string_value for held in submits for item in held["causeway.request_ids"].array_value.values]
    assert ids
    assert all(len(item) >= 16 for item in ids)


def test_what_a_run_over_every_cloud_did_can_be_scraped(seen: Seen) -> None:
    text = seen.scrape("workflows")
    for cloud in CLOUDS:
        assert f'causeway_job_run_seconds_count{{cloud="{cloud}"' in text
        assert re.search(rf'causeway_stage_seconds_count{{cloud="{cloud}",kind="train"', text), cloud
    sent = re.findall(
        r'^causeway_transfer_bytes_total{destination="(\w+)".*source="onprem"', text, re.MULTILINE
    )
    assert {"aws", "azure", "gcp"} <= set(sent)
    assert 'causeway_transfer_megabytes_per_second_count{destination="aws"' in text
    cost = next(line for line in text.splitlines() if line.startswith("causeway_transfer_egress_cost_count"))
    assert re.search(r'currency="USD",destination="azure".*source="aws"', cost), "on-prem has no price"


def test_retries_and_failed_attempts_are_counted_by_the_kind_of_their_error(seen: Seen) -> None:
    text = seen.scrape("workflows")
    assert re.search(r'causeway_stage_retries_total{cloud="onprem",kind="JOB_FAILED".*} 1', text)
    assert re.search(r'causeway_stage_errors_total{cloud="onprem",kind="SOURCE_MISSING".*} 1', text)
    assert 'kind="SOURCE_MISSING"' in seen.scrape("onprem")


def test_the_seconds_in_which_a_control_plane_did_not_tell_can_be_scraped(seen: Seen) -> None:
    found = re.findall(
        r'^causeway_job_unknown_seconds_total{.*cloud="aws".*} (\S+)$', seen.scrape("aws"), re.MULTILINE
    )
    assert sum(map(float, found)) >= 1
    assert "causeway_job_unknown_seconds" not in seen.scrape("gcp")


def test_every_metric_that_docs_name_is_exported_under_that_name(seen: Seen) -> None:
    exported = {name for worker in WORKERS for name in names_in(seen.scrape(worker))}
    named = set(re.findall(r"causeway_[a-z_]+", (CHECKOUT / "docs/observability.md").read_text()))
    assert named - exported == set()


def names_in(text: str) -> set[str]:
    """Names of metrics: of a histogram that of the whole, of a counter with its `_total`."""
    return {
        f"{name}_total" if kind == "counter" and not name.endswith("_total") else name
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    }


def test_rules_and_dashboard_ask_for_nothing_that_workers_do_not_export(seen: Seen) -> None:
    exported: dict[str, set[str]] = {"up": set()}
    for worker in WORKERS:
        for name, labels in re.findall(r"^(\w+)\{(.*)\} \S+$", seen.scrape(worker), re.MULTILINE):
            exported.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    for where, expression in EXPRESSIONS.items():
        for selector in selectors(expression):
            assert selector.name in exported, (where, selector.name)
            asked = {matcher.name for matcher in selector.matchers.matchers}
            grouped = re.findall(r"by \(([^)]*)\)", expression)
            asked |= set(re.findall(r"\w+", " ".join(grouped)))
            known = exported[selector.name] | {"job", "instance", "worker"}
            assert asked - {"le"} <= known, (where, selector.name, asked - known)


def test_cloudwatch_holds_what_the_aws_worker_and_the_one_of_workflows_measured(seen: Seen) -> None:
    environment = seen.house.environment("aws")
    watch: Any = boto3.client(
        "cloudwatch",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )

    def total(name: str, statistic: str, **labels: str) -> float:
        found = [
            metric["Dimensions"]
            for metric in watch.list_metrics(Namespace="Causeway", MetricName=name)["Metrics"]
            if labels.items() <= {item["Name"]: item["Value"] for item in metric["Dimensions"]}.items()
        ]
        now = datetime.now(UTC)
        span = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(minutes=1), "Period": 3600}
        answers = [
            watch.get_metric_statistics(
                Namespace="Causeway", MetricName=name, Dimensions=held, Statistics=[statistic], **span
            )
            for held in found
        ]
        return float(sum(point[statistic] for answer in answers for point in answer["Datapoints"]))

    until(lambda: total("causeway_runs", "Sum", state="SUCCEEDED") == 1, "the run in CloudWatch")
    assert total("causeway_stage_seconds", "SampleCount", cloud="aws", kind="train") == 1
    assert total("causeway_job_unknown_seconds", "Sum", cloud="aws") >= 1
    names = {metric["MetricName"] for metric in watch.list_metrics(Namespace="Causeway")["Metrics"]}
    assert not [name for name in names if name.startswith("temporal_request")], "each metric is billed"


def test_azure_monitor_is_sent_the_same_by_the_workers_own_identity(seen: Seen) -> None:
    until(lambda: seen.azure.named("causeway_runs"), "the run in Azure Monitor")
    assert sum(point["value"] for point, _ in seen.azure.named("causeway_runs")) == 1
    stages = [
        point["count"]
        for point, labels in seen.azure.named("causeway_stage_seconds")
        if (labels["cloud"], labels["kind"]) == ("azure", "train")
    ]
    assert sum(stages) == 2
    assert all(token.startswith("Bearer ey") for token in seen.azure.tokens)


def test_cloud_monitoring_is_sent_the_same(seen: Seen) -> None:
    runs = "workload.googleapis.com/causeway_runs"

    def written() -> list[Any]:
        return [item for item in seen.google.series if item.metric.type == runs]

    until(written, "the run in Cloud Monitoring")
    assert {item.points[0].value.int64_value or item.points[0].value.double_value for item in written()} == {
        1
    }
    assert seen.google.described[runs].metric_kind == 3, "cumulative"
    assert seen.google.projects == {f"projects/{seen.house.environment('gcp')['GOOGLE_CLOUD_PROJECT']}"}
