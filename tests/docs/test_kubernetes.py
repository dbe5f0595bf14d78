import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from contracts.queues import WORKFLOW_QUEUE, queue_of
from tests.docs import books
from tests.docs.test_docs import rows_of
from tests.house import CHECKOUT
from workers.catalogue import WORKERS
from workers.serve import GRACE

HOME = "deploy/kubernetes"
SCHEMA = "1.34"


def documents(name: str) -> list[Any]:
    return [found for found in YAML(typ="safe", pure=True).load_all(books.read(f"{HOME}/{name}")) if found]


KUSTOMIZATION = documents("kustomization.yaml")[0]
PATCH = documents("worker.yaml")[0]
SCALED = documents("keda/scaled.yaml")


def merged(held: Any, patch: Any) -> Any:
    """As a strategic merge: mappings by key, lists of what has names by name, everything else replaced."""
    if isinstance(held, dict) and isinstance(patch, dict):
        return {
            key: merged(held[key], patch[key])
            if key in held and key in patch
            else held.get(key, patch.get(key))
            for key in {**held, **patch}
        }
    if isinstance(held, list) and all(isinstance(item, dict) and "name" in item for item in held + patch):
        names = dict.fromkeys(item["name"] for item in held + patch)
        return [
            merged(
                next((item for item in held if item["name"] == name), {}),
                next((item for item in patch if item["name"] == name), {}),
            )
            for name in names
        ]
    return patch


def resources() -> Iterator[dict[str, Any]]:
    for file in KUSTOMIZATION["resources"]:
        for resource in documents(file):
            if resource["kind"] == "Deployment":
                resource = {**merged(resource, deepcopy(PATCH)), "metadata": resource["metadata"]}
            yield resource


RESOURCES = list(resources())
DEPLOYMENTS = {item["metadata"]["name"]: item for item in RESOURCES if item["kind"] == "Deployment"}
"""As they reach the cluster."""


def named(resource: dict[str, Any]) -> str:
    return f"{resource['kind']} {resource['metadata']['name']}"


@pytest.mark.parametrize("resource", RESOURCES, ids=named)
def test_a_manifest_is_one_that_kubernetes_takes(resource: dict[str, Any]) -> None:
    kubernetes_validate.validate(resource, SCHEMA, strict=True)


def test_every_worker_has_a_deployment_and_every_file_is_used() -> None:
    assert set(DEPLOYMENTS) == set(WORKERS)
    files = {path.name for path in (CHECKOUT / HOME).glob("*.yaml")}
    assert files == {*KUSTOMIZATION["resources"], "worker.yaml", "kustomization.yaml"}


@pytest.mark.parametrize("worker", WORKERS)
def test_a_pod_runs_its_own_worker_with_its_own_settings_and_identity(worker: str) -> None:
    pod = DEPLOYMENTS[worker]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["workers", worker]
    assert container["envFrom"] == [{"configMapRef": {"name": worker}}]
    assert {item["name"] for item in container["env"]} <= set(rows_of(worker))
    assert pod["serviceAccountName"] == worker
    accounts = {item["metadata"]["name"] for item in RESOURCES if item["kind"] == "ServiceAccount"}
    assert worker in accounts


def test_every_settings_file_has_an_example() -> None:
    made = {item["name"]: item["envs"] for item in KUSTOMIZATION["configMapGenerator"]}
    assert made == {worker: [f"env/{worker}.env"] for worker in WORKERS}
    assert [name for name in made if not (CHECKOUT / f"docs/env/{name}.env.example").is_file()] == []


@pytest.mark.parametrize("worker", WORKERS)
def test_a_pod_has_no_rights_it_does_not_need(worker: str) -> None:
    pod = DEPLOYMENTS[worker]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"--uid {pod['securityContext']['runAsUser']} " in books.read("Dockerfile")
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("worker", WORKERS)
def test_what_a_pod_mounts_is_there(worker: str) -> None:
    pod = DEPLOYMENTS[worker]["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == volumes
    claims = {item["metadata"]["name"] for item in RESOURCES if item["kind"] == "PersistentVolumeClaim"}
    wanted = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert wanted <= claims


@pytest.mark.parametrize("worker", WORKERS)
def test_a_pod_has_time_to_land_what_is_in_flight(worker: str) -> None:
    assert (
        DEPLOYMENTS[worker]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        > GRACE.total_seconds()
    )


@pytest.mark.parametrize("worker", WORKERS)
def test_selectors_find_their_pods(worker: str) -> None:
    spec = DEPLOYMENTS[worker]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    chosen = spec["selector"]["matchLabels"]
    assert chosen.items() <= labels.items()
    assert chosen["app.kubernetes.io/component"] == worker
    budgets = {item["metadata"]["name"]: item for item in RESOURCES if item["kind"] == "PodDisruptionBudget"}
    # One that is alone would never let its node be drained.
    assert (worker in budgets) == (spec["replicas"] > 1)
    if worker in budgets:
        assert budgets[worker]["spec"]["selector"]["matchLabels"] == chosen


@pytest.mark.parametrize("scaled", SCALED, ids=named)
def test_replicas_follow_the_queue_that_the_worker_serves(scaled: dict[str, Any]) -> None:
    target = scaled["spec"]["scaleTargetRef"]["name"]
    (trigger,) = scaled["spec"]["triggers"]
    queue = WORKFLOW_QUEUE if target == "workflows" else queue_of(target)
    assert trigger["type"] == "temporal"
    assert trigger["metadata"]["taskQueue"] == queue
    assert trigger["metadata"]["endpointFromEnv"] == "TEMPORAL_ADDRESS"
    assert scaled["spec"]["minReplicaCount"] == DEPLOYMENTS[target]["spec"]["replicas"]
    # A job on-prem is a process of its worker's pod.
    assert target != "onprem"


def test_the_image_has_a_version() -> None:
    (image,) = KUSTOMIZATION["images"]
    assert image["name"] == DEPLOYMENTS["aws"]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image["newTag"] in books.read("pyproject.toml")


@pytest.mark.parametrize("worker", WORKERS)
def test_probes_ask_for_pages_that_a_worker_serves_where_it_serves_them(worker: str) -> None:
    (container,) = DEPLOYMENTS[worker]["spec"]["template"]["spec"]["containers"]
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    served = re.findall(r'^ +"(/\w+)":', books.read("workers/health.py"), re.MULTILINE)
    assert {probe["path"] for probe in asked.values()} <= set(served)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    told = {item["name"]: item["value"] for item in container["env"] if "value" in item}
    assert {ports[probe["port"]] for probe in asked.values()} == {
        int(told["CAUSEWAY_METRICS_ADDRESS"].rpartition(":")[2])
    }
