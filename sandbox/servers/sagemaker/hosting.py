"""SageMaker's models, endpoint configurations and endpoints; a model server really runs behind each endpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.servers.faults import Faults
from sandbox.servers.machine import Fetch, Machines, MachineSpec
from sandbox.servers.records import Record, Records
from sandbox.servers.sagemaker.errors import AwsError, beyond_sandbox, invalid
from sandbox.servers.sagemaker.kinds import CONTAINER_ROOT, check_s3
from sandbox.servers.sagemaker.listing import page
from sandbox.servers.scoring import Scored, free_port, scored

Parameters = dict[str, Any]
KINDS = ("Model", "EndpointConfig", "Endpoint")
SERVE = ["/bin/sh", f"{CONTAINER_ROOT}/model/serve.sh"]
"""What the sandbox's one image runs as its `serve`."""
DEFAULT_START_SECONDS = 480


class Hosting:
    """Answers the operations on what scores."""

    def __init__(self, root: Path, machines: Machines, faults: Faults, scope: str) -> None:
        """Keep records below `root`; ARNs begin with `scope`."""
        self.records = {kind: Records(root / kind) for kind in KINDS}
        self._machines = machines
        self._faults = faults
        self._scope = scope
        self.operations: dict[str, Callable[[Parameters], Parameters]] = {}
        for kind in KINDS:
            self.operations |= {
                f"Create{kind}": _bound(self._create, kind),
                f"Describe{kind}": _bound(self._describe, kind),
                f"Delete{kind}": _bound(self._delete, kind),
                f"List{kind}s": _bound(self._list, kind),
            }

    def resume(self) -> None:
        """Start the machines of endpoints that were accepted just before the server died."""
        for record in self.records["Endpoint"].all():
            if record["EndpointStatus"] == "Creating":
                self._start(record)

    def container(self, model: str) -> Record:
        """The container that a transform job runs.

        Raises:
            AwsError: There is no such model.
        """
        record = self.records["Model"].get(model)
        if record is None:
            raise invalid(f'Could not find model "{self._arn("Model", model)}".')
        return dict(record["PrimaryContainer"])

    def invoke(self, name: str, body: bytes, headers: dict[str, str]) -> Scored:
        """What the endpoint's server answers.

        Raises:
            AwsError: There is no such endpoint in service, or its server does not answer.
        """
        record = self.records["Endpoint"].get(name)
        if record is None or record["EndpointStatus"] != "InService":
            raise AwsError("ValidationError", f"Endpoint {name} of account not found.")
        try:
            return scored(record["Port"], "/invocations", body, headers)
        except OSError:
            words = "Amazon SageMaker could not get a response from the endpoint."
            raise AwsError("ModelNotReadyException", words, 429) from None

    def by_arn(self, arn: str) -> tuple[str, Record] | None:
        """The kind and the record that a tag operation names."""
        for kind in KINDS:
            for record in self.records[kind].all():
                if record[f"{kind}Arn"] == arn:
                    return kind, record
        return None

    def change_tags(self, arn: str, tags: dict[str, str]) -> None:
        """Replace the tags of what a tag operation names, unless it is gone."""
        hosted = self.by_arn(arn)
        if hosted:
            kind, record = hosted
            self.records[kind].change(record[f"{kind}Name"], Tags=tags)

    def _create(self, kind: str, parameters: Parameters) -> Parameters:
        name = parameters[f"{kind}Name"]
        arn = self._arn(kind, name)
        tags = {tag["Key"]: tag["Value"] for tag in parameters.pop("Tags", [])}
        now = time.time()
        record = parameters | {
            f"{kind}Arn": arn,
            "Tags": tags,
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        {"Model": _check_model, "EndpointConfig": self._check_config, "Endpoint": self._prepare}[kind](record)
        if not self.records[kind].add(name, record):
            noun = {"Model": "model", "EndpointConfig": "endpoint configuration", "Endpoint": "endpoint"}[
                kind
            ]
            raise invalid(f'Cannot create already existing {noun} "{arn}".')
        if kind == "Endpoint":
            self._start(record)
        return {f"{kind}Arn": arn}

    def _describe(self, kind: str, parameters: Parameters) -> Parameters:
        return self._known(kind, parameters)

    def _delete(self, kind: str, parameters: Parameters) -> Parameters:
        record = self._known(kind, parameters)
        name = record[f"{kind}Name"]
        if kind != "Endpoint":
            self.records[kind].remove(name)
            return {}
        self.records[kind].change(name, EndpointStatus="Deleting", LastModifiedTime=time.time())
        self._machines.stop(record["Machine"], grace_seconds=2, deliver=False)
        return {}

    def _list(self, kind: str, parameters: Parameters) -> Parameters:
        # Only endpoints have a status; the list of the others takes none to ask for.
        entries = [{f"{kind}Status": "", **record} for record in self.records[kind].all()]
        found, token = page(entries, kind, parameters)
        return {f"{kind}s": found, "NextToken": token}

    def _known(self, kind: str, parameters: Parameters) -> Record:
        name = parameters[f"{kind}Name"]
        record = self.records[kind].get(name)
        if record is None:
            words = {"Model": "model", "EndpointConfig": "endpoint configuration", "Endpoint": "endpoint"}
            raise invalid(f'Could not find {words[kind]} "{self._arn(kind, name)}".')
        return record

    def _check_config(self, record: Record) -> None:
        variants = record["ProductionVariants"]
        if len(variants) != 1:
            raise beyond_sandbox("an endpoint with more than one variant")
        self.container(variants[0].get("ModelName", ""))
        if not variants[0].get("InstanceType") or variants[0].get("InitialInstanceCount") != 1:
            raise beyond_sandbox("a variant without InstanceType and an InitialInstanceCount of 1")

    def _prepare(self, record: Record) -> None:
        config = self.records["EndpointConfig"].get(record["EndpointConfigName"])
        if config is None:
            arn = self._arn("EndpointConfig", record["EndpointConfigName"])
            raise invalid(f'Could not find endpoint configuration "{arn}".')
        name, variant = record["EndpointName"], config["ProductionVariants"][0]
        if self.records["Endpoint"].get(name) is None and self._faults.take("quota", name):
            raise AwsError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{variant['InstanceType']} for endpoint usage' is 0 Instances, "
                "with current utilization of 0 Instances and a request delta of 1 Instances.",
            )
        record |= {
            "EndpointStatus": "Creating",
            # A name may be used again once its endpoint is deleted; a machine's may not.
            "Machine": f"endpoint-{name}-{int(record['CreationTime'] * 1000)}",
            "Port": free_port(),
            "Container": self.container(variant["ModelName"]),
            "StartSeconds": variant.get("ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_START_SECONDS),
            "LogOffset": 0,
        }

    def _start(self, record: Record) -> None:
        machine = record["Machine"]
        self._machines.start(
            machine,
            server_spec(record["Container"], str(self._machines.home(machine) / "ml"), record["Port"]),
        )

    def _arn(self, kind: str, name: str) -> str:
        nouns = {"Model": "model", "EndpointConfig": "endpoint-config", "Endpoint": "endpoint"}
        return f"{self._scope}:{nouns[kind]}/{name.lower()}"


def server_spec(container: Record, ml: str, port: int) -> MachineSpec:
    """The machine that runs a model's container, with its files below `ml`."""
    return MachineSpec(
        argv=SERVE,
        env={"SAGEMAKER_BIND_TO_PORT": str(port), **container.get("Environment", {})},
        cwd="work",
        folders=["work"],
        fetch=[Fetch(container["ModelDataUrl"], f"{ml}/model", "archive")],
        rewrite={CONTAINER_ROOT: ml},
        stop_grace_seconds=2,
    )


def _check_model(record: Record) -> None:
    container = record.get("PrimaryContainer")
    if not container or not container.get("Image"):
        raise beyond_sandbox("a model without PrimaryContainer and its Image")
    if not container.get("ModelDataUrl", "").endswith(".tar.gz"):
        raise beyond_sandbox("a model without a ModelDataUrl that ends in .tar.gz")
    check_s3(container["ModelDataUrl"], "ModelDataUrl")


def _bound(work: Callable[[str, Parameters], Parameters], kind: str) -> Callable[[Parameters], Parameters]:
    return lambda parameters: work(kind, parameters)
