"""A run over every cloud by workers that show everything: to a collector, to who scrapes, to each vendor's monitoring."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from sandbox.ports import assign
from tests.house import CHECKOUT, OF_THE_OUTSIDE, PATIENCE_SECONDS, Sandbox
from tests.observed.receiver import Received
from tests.observed.sinks import AzureMonitor, CloudMonitoring
from tests.pipelines import CLOUDS, write
from workers.catalogue import WORKERS

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

    def __init__(
        self, root: Path, folder: Path, received: Received, azure: AzureMonitor, google: CloudMonitoring
    ) -> None:
        self.house = Sandbox(root)
        self.folder = folder
        self.received = received
        self.azure = azure
        self.google = google
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
            watched = {
                **self.told,
                **self.sinks(worker),
                "CAUSEWAY_METRICS_ADDRESS": f"127.0.0.1:{self.ports[worker]}",
            }
            with (self.folder / f"{worker}.log").open("wb") as log:
                command = [sys.executable, "-m", "workers", worker]
                environment = self.environment(worker) | watched
                self.workers.append(
                    subprocess.Popen(command, env=environment, cwd=CHECKOUT, stderr=log, stdout=log)
                )

    def sinks(self, worker: str) -> dict[str, str]:
        """What switches on the monitoring of a worker's own cloud, and sends along what the worker of workflows measures."""
        along = {"CAUSEWAY_METRICS_ALONG": f"http://127.0.0.1:{self.ports['workflows']}/metrics"}
        if worker == "aws":
            return {"CAUSEWAY_AWS_METRICS_NAMESPACE": "Causeway", **along}
        if worker == "azure":
            trusted = self.folder / "trusted.pem"
            bundle = Path(self.house.environment("azure")["REQUESTS_CA_BUNDLE"])
            trusted.write_text(bundle.read_text() + (self.folder / "monitor.pem").read_text())
            monitor = {"CAUSEWAY_AZURE_MONITOR": self.azure.connection_string, **along}
            return monitor | {"REQUESTS_CA_BUNDLE": str(trusted), "SSL_CERT_FILE": str(trusted)}
        if worker == "gcp":
            endpoint = f"http://127.0.0.1:{self.google.port}"
            switched = {"CAUSEWAY_GCP_MONITORING": "true", "CAUSEWAY_GCP_MONITORING_ENDPOINT": endpoint}
            return switched | along
        return {}

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
                f"http://127.0.0.1:{self.ports[worker]}/metrics", timeout=PATIENCE_SECONDS
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
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.house.down()


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
