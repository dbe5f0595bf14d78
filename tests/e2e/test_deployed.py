"""The commands that the deployment files name, as processes: they start, become ready, and end within their grace."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts.units import parse_duration
from tests.docs.test_deploy import parsed
from tests.docs.test_kubernetes import DEPLOYMENTS
from tests.house import CHECKOUT, PATIENCE_SECONDS, Sandbox, until
from workers.catalogue import WORKERS

SERVICES: dict[str, Any] = parsed("docker-compose.yaml")["services"]


@pytest.mark.parametrize("worker", WORKERS)
def test_a_worker_of_the_deployment_files_becomes_ready_and_ends_cleanly_within_its_grace(
    sandbox: Sandbox, worker: str, tmp_path: Path
) -> None:
    service = SERVICES[worker]
    compose, kubernetes = service["command"], DEPLOYMENTS[worker]["spec"]["template"]["spec"]
    ready, log = tmp_path / "ready", tmp_path / "log"
    command = [ready if word == "/tmp/ready" else word for word in compose]
    # Kubernetes looks at the worker over HTTP, compose at the file; they start the same.
    assert compose[: compose.index("--ready-file")] == kubernetes["containers"][0]["args"]
    # A queue of its own, so that nobody else's work reaches this worker; the one of workflows shares theirs.
    environment = {**sandbox.variables, **sandbox.environment(worker), "CAUSEWAY_CONNECTION": "deployed"}
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=CHECKOUT, env=environment, stderr=errors
        )
    try:
        until(lambda: ready.exists() or process.poll() is not None, f"the {worker} worker")
        assert process.poll() is None, log.read_text()
        process.terminate()
        grace = min(
            parse_duration(service["stop_grace_period"]).total_seconds(),
            kubernetes["terminationGracePeriodSeconds"],
        )
        assert process.wait(grace) == 0, log.read_text()
    finally:
        process.kill()
    assert '"message": "stopped"' in log.read_text()


def test_a_worker_that_is_told_by_the_file_of_connections_serves_its_own_queue(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    told = sandbox.environment("aws")
    entry = {
        "container": told.pop("CAUSEWAY_CONTAINER"),
        "region": told.pop("AWS_REGION"),
        "job_role": told.pop("CAUSEWAY_AWS_JOB_ROLE"),
    }
    (tmp_path / "connections.yaml").write_text(json.dumps({"connections": {"aws/us": entry}}, indent=1))
    ready = tmp_path / "ready"
    command = ["workers", "aws", "--connections", tmp_path / "connections.yaml", "--connection", "us"]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--ready-file", ready],
        cwd=CHECKOUT,
        env={**sandbox.variables, **told},
    )
    try:
        until(ready.exists, "the worker of aws/us")
        assert ready.read_text() == "causeway-aws.us"
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
