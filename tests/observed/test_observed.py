"""What workers show of themselves, as real processes on a real server: health, metrics, and one trace of a run."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.ports import assign
from tests.house import CHECKOUT, OF_THE_OUTSIDE, PATIENCE_SECONDS, until
from tests.observed.receiver import Received, receiving
from tests.pipelines import SLEEPER, write
from tests.workflows.servers import dev_server
from workers.health import address_of

ATTRIBUTES = {
    "CausewayPipeline": "Keyword",
    "CausewayState": "Keyword",
    "CausewayWaitingFor": "Keyword",
    "CausewayClouds": "KeywordList",
    "CausewayRunUid": "Keyword",
}
ONE_EXPORT_SECONDS = 25
"""How long an exporter waits for an answer before it gives a batch up: longer than a run takes on a busy machine."""


class Site:
    """A server and two workers, watched."""

    def __init__(self, folder: Path, received: Received) -> None:
        self.folder = folder
        self.ports = assign(dict.fromkeys(("temporal", "workflows", "onprem")))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_OUTSIDE)}
        (folder / "root").mkdir()
        self.base = {**kept, "TEMPORAL_ADDRESS": f"127.0.0.1:{self.ports['temporal']}"}
        self.told = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "OTEL_EXPORTER_OTLP_TIMEOUT": str(ONE_EXPORT_SECONDS),
            "CAUSEWAY_CONTAINER": "data",
            "CAUSEWAY_ONPREM_ROOT": str(folder / "root"),
            "CAUSEWAY_ONPREM_PATH": str(Path(sys.executable).parent),
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def serve(self) -> None:
        command = [
            str(dev_server()),
            "server",
            "start-dev",
            "--headless",
            "--ip",
            "127.0.0.1",
            "--log-level",
            "error",
        ]
        command += ["--port", str(self.ports["temporal"])]
        for name, kind in ATTRIBUTES.items():
            command += ["--search-attribute", f"{name}={kind}"]
        self.processes["temporal"] = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def hire(self, worker: str) -> None:
        told = {**self.base, **self.told, "CAUSEWAY_METRICS_ADDRESS": f"127.0.0.1:{self.ports[worker]}"}
        with (self.folder / f"{worker}.log").open("wb") as log:
            command = [sys.executable, "-m", "workers", worker]
            self.processes[worker] = subprocess.Popen(command, env=told, cwd=CHECKOUT, stderr=log)

    def ask(self, worker: str, path: str) -> tuple[int, str]:
        """Status and body; 0 where nobody listens."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.ports[worker]}{path}", timeout=PATIENCE_SECONDS
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def run(self, file: Path) -> None:
        command = [sys.executable, "-m", "starter", "run", str(file)]
        told = {**self.base, "OTEL_EXPORTER_OTLP_ENDPOINT": self.told["OTEL_EXPORTER_OTLP_ENDPOINT"]}
        subprocess.run(
            command, cwd=CHECKOUT, env=told, check=True, capture_output=True, timeout=PATIENCE_SECONDS
        )

    def close(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def received() -> Iterator[Received]:
    with receiving() as held:
        yield held


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, received: Received) -> Iterator[Site]:
    held = Site(tmp_path_factory.mktemp("site"), received)
    try:
        held.hire("workflows")
        # Temporal is not there yet: the worker lives, and is not ready.
        until(lambda: held.ask("workflows", "/healthz")[0] == 200, "health without Temporal")
        held.before = held.ask("workflows", "/readyz")  # type: ignore[attr-defined]
        held.serve()
        held.hire("onprem")
        for worker in ("workflows", "onprem"):
            until(lambda name=worker: held.ask(name, "/readyz")[0] == 200, f"{worker} is ready")
        held.run(pipeline(held.folder))
        yield held
    finally:
        held.close()


def pipeline(folder: Path) -> Path:
    job = {
        "on": "onprem",
        "code": "src",
        "command": "python sleep.py --seconds 0.4 --out {outputs.o}",
        "outputs": ["o"],
    }
    stages = {
        "first": {**job, "kind": "train"},
        "second": {**job, "kind": "process", "inputs": {"x": "first"}},
    }
    return write(folder, {"pipeline": "observed", "stages": stages}, {"src/sleep.py": SLEEPER})


def test_a_worker_is_ready_once_it_serves_and_not_before(site: Site) -> None:
    assert site.before == (503, '{"ok": false, "status": "starting"}\n')  # type: ignore[attr-defined]
    code, text = site.ask("onprem", "/readyz")
    assert (code, json.loads(text)) == (200, {"ok": True, "status": "serving causeway-onprem"})
    assert site.ask("onprem", "/elsewhere")[0] == 404


def value(text: str, name: str, **labels: str) -> float:
    """The one sample of this name that has these labels; Temporal's meter adds its own."""
    lines = [line for line in text.splitlines() if line.startswith(name + "{")]
    found = [line for line in lines if all(f'{key}="{held}"' in line for key, held in labels.items())]
    assert len(found) == 1, (name, labels, found)
    return float(found[0].rpartition(" ")[2])


def test_what_a_run_did_can_be_scraped(site: Site) -> None:
    _, text = site.ask("workflows", "/metrics")
    assert value(text, "causeway_runs_total", state="SUCCEEDED") == 1
    assert value(text, "causeway_stage_seconds_count", cloud="onprem", kind="train", state="SUCCEEDED") == 1
    assert value(text, "causeway_job_run_seconds_count", cloud="onprem") == 2
    assert value(text, "causeway_job_run_seconds_sum", cloud="onprem") > 0.4
    _, text = site.ask("onprem", "/metrics")
    assert "temporal_activity_execution_latency" in text
    assert "temporal_worker_task_slots_available" in text
    names = {
        line.partition("{")[0].partition(" ")[0] for line in text.splitlines() if not line.startswith("#")
    }
    assert not [name for name in names if not name.startswith(("temporal_", "causeway_", "target_info"))]


def test_the_same_reaches_a_collector(site: Site, received: Received) -> None:
    until(lambda: ("causeway-workflows", "causeway_runs") in received.metrics, "metrics at the collector")
    until(
        lambda: any(name == "causeway-onprem" for name, _ in received.metrics),
        "those of the other worker",
    )


def test_one_trace_of_a_run_spans_the_starter_and_its_workers(site: Site, received: Received) -> None:
    def attributes() -> list[dict[str, str]]:
        waits = [span for _, span in received.spans if span.name == "RunActivity:jobs.wait"]
        return [{item.key: item.value.string_value for item in span.attributes} for span in waits]

    def whole() -> bool:
        # Each process sends its spans in batches of its own.
        stages = {held["causeway.stage"] for held in attributes()}
        names = {span.name for _, span in received.spans}
        ran = {"RunWorkflow:pipeline", "CompleteWorkflow:pipeline"} <= names
        return stages == {"first", "second"} and ran and bool(started())

    def started() -> list[Any]:
        mine = [span for name, span in received.spans if name == "causeway-starter"]
        return [span for span in mine if "StartWorkflow" in span.name]

    until(whole, "the spans of the run")
    waits = [(name, span) for name, span in received.spans if span.name == "RunActivity:jobs.wait"]
    (run,) = [span for name, span in received.spans if span.name == "RunWorkflow:pipeline"][:1]
    assert {(name, span.trace_id) for name, span in waits} == {("causeway-onprem", run.trace_id)}
    assert [span.trace_id for span in started()] == [run.trace_id]
    assert all(held["causeway.run"].startswith("observed/") for held in attributes())
    log = (site.folder / "onprem.log").read_text()
    assert f'"trace": "{run.trace_id.hex()}"' in log


def test_a_worker_that_is_told_to_end_is_not_ready_and_ends_cleanly(site: Site) -> None:
    process = site.processes["onprem"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert site.ask("onprem", "/readyz")[0] in {0, 503}
    site.processes["temporal"].kill()
    until(lambda: site.ask("workflows", "/readyz")[0] == 503, "not ready without Temporal")
    assert site.ask("workflows", "/healthz")[0] == 200


@pytest.mark.parametrize("written", ["9464", "host:", "127.0.0.1:port", "127.0.0.1:70000", ":9464"])
def test_an_address_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="CAUSEWAY_METRICS_ADDRESS"):
        address_of({"CAUSEWAY_METRICS_ADDRESS": written})


def test_what_is_off_loads_nothing_of_opentelemetry() -> None:
    look = "import sys, workers.serve, workers.run, workers.logs, workers.observe; "
    look += "sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", look], cwd=CHECKOUT).returncode == 0
