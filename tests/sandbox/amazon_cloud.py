"""A private AWS for tests: our SageMaker server beside a real S3 and Logs emulator, on free ports."""

from __future__ import annotations

import json
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

from sandbox import keys, ports, tools
from sandbox.layout import CONTAINER, Endpoints, Layout
from sandbox.servers.descendants import processes_of
from sandbox.servers.faults import Fault, Faults
from sandbox.services import aws, ours
from sandbox.services.base import Service
from tests.house import PATIENCE_SECONDS, until

SAGEMAKER = next(service for service in ours.SERVICES if service.name == "sagemaker")


class AmazonCloud:
    """The servers, and clients as a worker would build them."""

    def __init__(self, layout: Layout, endpoints: Endpoints) -> None:
        self.layout = layout
        self.endpoints = endpoints
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.faults = Faults(layout.faults_of("sagemaker"))
        self.sagemaker = self.client("sagemaker")
        self.s3 = self.client("s3")
        self.logs = self.client("logs")

    def client(self, service: str, **changes: Any) -> Any:
        url = self.endpoints.sagemaker_url if service == "sagemaker" else self.endpoints.s3_url
        settings = {
            "endpoint_url": url,
            "region_name": self.endpoints.aws_region,
            "aws_access_key_id": self.endpoints.aws_access_key_id,
            "aws_secret_access_key": self.endpoints.aws_secret_access_key,
            "config": Config(
                retries={"total_max_attempts": 1}, connect_timeout=30, read_timeout=PATIENCE_SECONDS
            ),
        }
        return boto3.client(service, **settings | changes)

    def folder(self) -> str:
        return f"s3://{CONTAINER}/runs/{uuid.uuid4().hex}"

    def put(self, uri: str, text: str) -> str:
        self.s3.put_object(Bucket=CONTAINER, Key=uri.removeprefix(f"s3://{CONTAINER}/"), Body=text.encode())
        return uri

    def get(self, uri: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=CONTAINER, Key=uri.removeprefix(f"s3://{CONTAINER}/"))[
            "Body"
        ].read()
        return body

    def keys_below(self, uri: str) -> list[str]:
        prefix = uri.removeprefix(f"s3://{CONTAINER}/")
        found = self.s3.list_objects_v2(Bucket=CONTAINER, Prefix=prefix).get("Contents", [])
        return sorted(entry["Key"].removeprefix(prefix) for entry in found)

    def training(self, *command: str, **changes: Any) -> dict[str, Any]:
        return {
            "TrainingJobName": f"t-{uuid.uuid4().hex[:12]}",
            "AlgorithmSpecification": {
                "TrainingImage": "sandbox",
                "TrainingInputMode": "File",
                "ContainerEntrypoint": list(command),
            },
            "RoleArn": self.endpoints.aws_job_role,
            "OutputDataConfig": {"S3OutputPath": self.folder(), "CompressionType": "NONE"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            **changes,
        }

    def processing(self, *command: str, **changes: Any) -> dict[str, Any]:
        cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        return {
            "ProcessingJobName": f"p-{uuid.uuid4().hex[:12]}",
            "AppSpecification": {"ImageUri": "sandbox", "ContainerEntrypoint": list(command)},
            "ProcessingResources": {"ClusterConfig": cluster},
            "RoleArn": self.endpoints.aws_job_role,
            **changes,
        }

    def submit(self, *command: str, **changes: Any) -> str:
        request = self.training(*command, **changes)
        self.sagemaker.create_training_job(**request)
        return str(request["TrainingJobName"])

    def describe(self, name: str) -> dict[str, Any]:
        described: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
        return described

    def finished(self, name: str) -> dict[str, Any]:
        return self.until(name, "TrainingJobStatus", "Completed", "Failed", "Stopped")

    def until(self, name: str, member: str, *words: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            seen = self.describe(name)
            return seen if seen[member] in words else None

        found: dict[str, Any] = until(look, f"{member} of {name} is one of {words}")
        return found

    def processed(self, name: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            seen: dict[str, Any] = self.sagemaker.describe_processing_job(ProcessingJobName=name)
            return seen if seen["ProcessingJobStatus"] in ("Completed", "Failed", "Stopped") else None

        found: dict[str, Any] = until(look, f"{name} has ended")
        return found

    def log_lines(self, group: str, job: str) -> list[str]:
        streams = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")[
            "logStreams"
        ]
        assert len(streams) == 1
        page = {"logGroupName": group, "logStreamName": streams[0]["logStreamName"], "startFromHead": True}
        return [event["message"] for event in self.logs.get_log_events(**page)["events"]]

    def processes_of_job(self, name: str, kind: str = "training") -> list[psutil.Process]:
        return processes_of(self.layout.state / "sagemaker" / "machines" / f"{kind}-{name}")

    def fault(self, kind: str, **more: Any) -> None:
        self.faults.add(Fault(kind, times=1, **more))

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.layout.requests_of("sagemaker").read_text().splitlines()]

    def start(self, service: Service) -> None:
        command = service.command(self.layout, self.endpoints)
        log = self.layout.log_of(service.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            process = subprocess.Popen(
                command.argv, env=command.env, cwd=command.cwd, stdout=stream, stderr=stream
            )
        self.processes[service.name] = process

        def answers() -> bool:
            assert process.poll() is None, log.read_text()[-2000:]
            return service.healthy(self.layout, self.endpoints)

        until(answers, f"{service.name} answers")

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> int:
        process = self.processes.pop(name)
        process.send_signal(how)
        return process.wait(PATIENCE_SECONDS)


@contextmanager
def running(root: Path) -> Iterator[AmazonCloud]:
    """Servers on free ports with state below `root`; nothing of them is left afterwards."""
    ambient = Layout.from_environment()
    layout = Layout(root=root, tools=ambient.tools, checkout=ambient.checkout)
    tools.ensure(layout, ["ministack", "jobs"], say=lambda line: None)
    # The keys need a port for each server, of which two are started.
    endpoints = keys.generate(layout, ports.assign(dict.fromkeys(ports.USUAL)))
    keys.refresh(endpoints)
    endpoints.save(layout)
    cloud = AmazonCloud(layout, endpoints)
    try:
        cloud.start(aws.SERVICE)
        aws.seed(layout, endpoints)
        cloud.start(SAGEMAKER)
        yield cloud
    finally:
        # In this order: SageMaker's orderly end leaves no job's process behind.
        for name, how in (("sagemaker", signal.SIGTERM), ("aws", signal.SIGKILL)):
            if name in cloud.processes:
                cloud.end(name, how)
