"""What another worker's page of metrics becomes when it is sent along: what was added, once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import ResourceMetrics

from telemetry.along import Along
from telemetry.switches import along

PAGE = """# TYPE target_info gauge
target_info{{service_name="causeway-workflows"}} 1.0
# HELP causeway_runs_total Runs that ended, by how.
# TYPE causeway_runs_total counter
causeway_runs_total{{state="FAILED"}} {failed}
# TYPE causeway_run_seconds histogram
causeway_run_seconds_bucket{{le="1.0"}} {quick}
causeway_run_seconds_bucket{{le="60.0"}} {all}
causeway_run_seconds_bucket{{le="+Inf"}} {all}
causeway_run_seconds_count {all}
causeway_run_seconds_sum {seconds}
# TYPE temporal_worker_task_slots_available gauge
temporal_worker_task_slots_available 7.0
"""


class Other:
    """Another worker, which tells what it is told to tell."""

    def __init__(self) -> None:
        self.url = ""
        self.tell(0, 0, 0, 0)

    def tell(self, failed: float, quick: int, every: int, seconds: float) -> None:
        self.text = PAGE.format(failed=failed, quick=quick, all=every, seconds=seconds)


@pytest.fixture
def other() -> Iterator[Other]:
    with serving(Other()) as held:
        yield held


@contextmanager
def serving(held: Other) -> Iterator[Other]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = held.text.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_port}/metrics"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()


def told(found: ResourceMetrics | None) -> dict[str, Any]:
    assert found is not None
    assert found.resource.attributes["service.name"] == "causeway-workflows"
    return {metric.name: metric.data.data_points[0] for metric in found.scope_metrics[0].metrics}


def test_what_was_counted_before_the_first_look_is_not_sent_again_by_a_worker_that_restarts(
    other: Other,
) -> None:
    other.tell(5, 1, 3, 70)
    looks = Along(other.url)
    assert looks.since(delta=True) is None
    assert set(told(looks.since(delta=True))) == {"temporal_worker_task_slots_available"}


def test_what_was_added_is_sent_once_as_a_difference_or_grows_as_a_total(other: Other) -> None:
    differences, totals = Along(other.url), Along(other.url)
    for looks in (differences, totals):
        looks.since(delta=True)
    sent = []
    for failed in (2, 5):
        other.tell(failed, 0, 0, 0)
        found = [told(differences.since(delta=True)), told(totals.since(delta=False))]
        sent.append([point["causeway_runs"].value for point in found])
    assert sent == [[2, 2], [3, 5]]


def test_a_histogram_keeps_its_count_its_sum_and_its_buckets(other: Other) -> None:
    other.tell(0, 1, 1, 0.5)
    looks = Along(other.url)
    looks.since(delta=True)
    other.tell(0, 1, 3, 60.5)
    point = told(looks.since(delta=True))["causeway_run_seconds"]
    assert (point.count, point.sum, point.explicit_bounds) == (2, 60.0, (1.0, 60.0))
    assert point.bucket_counts == (0, 2, 0)
    assert (point.min, point.max) == (1.0, 60.0), "the bounds that enclose what was counted"


def test_another_worker_that_began_anew_is_counted_from_nothing(other: Other) -> None:
    other.tell(5, 0, 0, 0)
    looks = [Along(other.url), Along(other.url)]
    for look in looks:
        look.since(delta=True)
    other.tell(1, 0, 0, 0)
    assert [
        told(look.since(delta=delta))["causeway_runs"].value
        for look, delta in zip(looks, (True, False), strict=True)
    ] == [1, 1]


def test_who_is_no_url_ends_the_worker_with_its_name() -> None:
    assert along({"CAUSEWAY_METRICS_ALONG": "http://a:1/metrics, https://b/metrics"}) == (
        "http://a:1/metrics",
        "https://b/metrics",
    )
    with pytest.raises(ValueError, match="CAUSEWAY_METRICS_ALONG: 'workflows:9464' is no URL"):
        along({"CAUSEWAY_METRICS_ALONG": "workflows:9464"})
