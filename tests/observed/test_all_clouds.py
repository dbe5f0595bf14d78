"""One run over every cloud, seen from outside: one trace, the clouds' own ids, and every metric that docs name."""

import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.ports import assign
from tests.docs.test_observability import EXPRESSIONS, selectors
from tests.house import CHECKOUT, OF_THE_OUTSIDE, Sandbox, until
from tests.observed.receiver import Received, receiving
from tests.pipelines import CLOUDS, write
from workers.catalogue import WORKERS

pytestmark = pytest.mark.timeout(600)
JOB = {"kind": "train", "code": "src", "outputs": ["o"]}
TELL = """
import pathlib, sys, time
cloud, out = sys.argv[1:]
time.sleep(0.4)
(pathlib.Path(out) / "told.txt").write_text(cloud)
"""

ONCE = """
import pathlib, sys
marker, out = map(pathlib.Path, sys.argv[1:])
if not marker.exists():
    marker.touch()
    sys.exit("this fails once")
(out / "done.txt").write_text("done")
"""


class Seen:
    """What a run over all clouds left with a collector, and with who scrapes the workers."""

    def __init__(self, root: Path, folder: Path, received: Received) -> None:
        self.house = Sandbox(root)
        self.folder = folder
        self.received = received
        self.ports = assign(dict.fromkeys(WORKERS))
        self.told = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_METRIC_EXPORT_INTERVAL": "2000",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        }
        self.workers: list[subprocess.Popen[bytes]] = []
        self.said = ""

    def hire(self) -> None:
        for worker in WORKERS:
            watched = {**self.told, "CAUSEWAY_METRICS_ADDRESS": f"127.0.0.1:{self.ports[worker]}"}
            with (self.folder / f"{worker}.log").open("wb") as log:
                command = [sys.executable, "-m", "workers", worker]
                environment = self.environment(worker) | watched
                self.workers.append(
                    subprocess.Popen(command, env=environment, cwd=CHECKOUT, stderr=log, stdout=log)
                )

    def environment(self, worker: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_OUTSIDE)}
        kept = {name: value for name, value in kept.items() if not name.startswith("OTEL_")}
        return kept | self.house.environment(worker)

    def run(self, file: Path) -> None:
        command = [sys.executable, "-m", "starter", "run", str(file), "--on-failure", "fail"]
        environment = self.environment("starter") | self.told
        done = subprocess.run(
            command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.said = done.stderr

    def scrape(self, worker: str) -> str:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.ports[worker]}/metrics", timeout=10
            ) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def spans(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """The spans of this name, by the process that sent them."""
        return [
            (service, {item.key: item.value for item in span.attributes})
            for service, span in self.received.spans
            if span.name == name
        ]

    def close(self) -> None:
        for process in self.workers:
            process.terminate()
        for process in self.workers:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.house.down()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("seen")
    with receiving() as received:
        held = Seen(Path(tempfile.mkdtemp(prefix="cw-")), folder, received)
        try:
            held.house.sandbox("up")
            held.hire()
            for worker in WORKERS:
                until(lambda name=worker: "temporal_" in held.scrape(name), f"{worker} is measured", 90)
            # For some polls the control plane of one cloud does not tell.
            silent = ["unavailable", "--times", "8", "--match", "DescribeTrainingJob"]
            held.house.sandbox("fault", "sagemaker", *silent)
            held.run(pipeline(folder))
            yield held
        finally:
            held.close()


def pipeline(folder: Path) -> Path:
    """A file that lies on-prem goes to each cloud, and a job on each cloud reads it."""
    stages: dict[str, Any] = {}
    for cloud in CLOUDS:
        stages[f"send_{cloud}"] = {
            "kind": "copy",
            "on": cloud,
            "source": "file:///quickstart/breast_cancer.csv",
        }
        command = f"python tell.py {cloud} {{outputs.o}}"
        stages[f"nap_{cloud}"] = {**JOB, "on": cloud, "inputs": {"x": f"send_{cloud}"}, "command": command}
    # What one cloud made goes to another, which costs.
    home = {"inputs": {"x": "nap_aws.o"}, "command": "python tell.py home {outputs.o}"}
    stages["home"] = {**JOB, "on": "azure", **home}
    # It fails once, and its second generation is a retry after that kind of failure.
    once = f"python once.py {folder / 'marker'} {{outputs.o}}"
    stages["again"] = {**JOB, "on": "onprem", "command": once, "retries": 1}
    # It leaves nothing: an attempt of an activity fails, and the run goes on without it.
    stages["empty"] = {**JOB, "on": "onprem", "command": "python --version", "on_failure": "skip"}
    code = {"src/tell.py": TELL, "src/once.py": ONCE}
    return write(folder, {"pipeline": "seen", "stages": stages}, code)


def test_a_run_over_every_cloud_is_one_trace_that_the_starter_tells(seen: Seen) -> None:
    waited = {f"causeway-{cloud}" for cloud in CLOUDS}
    until(lambda: {name for name, _ in seen.spans("RunActivity:jobs.wait")} == waited, "every wait", 30)
    until(lambda: seen.spans("CompleteWorkflow:pipeline"), "the run's end", 30)
    (told,) = re.findall(r"^trace ([0-9a-f]{32})$", seen.said, re.MULTILINE)
    spans = [(name, span) for name, span in seen.received.spans if span.trace_id.hex() == told]
    assert {name for name, _ in spans} == {f"causeway-{name}" for name in ("starter", *WORKERS)}


def test_spans_name_the_job_as_its_cloud_knows_it(seen: Seen) -> None:
    until(lambda: len(seen.spans("RunActivity:jobs.submit")) >= len(CLOUDS), "every submit", 30)
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
