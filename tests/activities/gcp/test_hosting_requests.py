import json
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.gcp.hosting_requests import BOOTSTRAP, batch_body, deployment_body, model_body, serve_script
from activities.gcp.jobs import JobDefaults
from activities.gcp.machines import VertexMachines
from contracts.errors import ErrorKind
from contracts.jobs import BatchOptions, JobRequest
from contracts.machines import Resources
from contracts.units import GIB
from tests.activities.gcp.test_jobs import request_of

DEFAULTS = JobDefaults("projects/p/locations/l", VertexMachines(), "image:1", "who@p.iam.gserviceaccount.com")
MODEL = "projects/p/locations/l/models/m"


def server(**more: Any) -> JobRequest:
    request = request_of("python", "server.py", stage="serve", **more)
    return request.model_copy(update={"kind": "deploy", "outputs": {}, "batch": BatchOptions(data="data")})


def test_a_container_starts_by_our_own_words_and_runs_on_the_port_that_it_is_told() -> None:
    body = model_body(server(env={"A": "b"}), DEFAULTS, "gs://bucket/package/")
    container = body["container_spec"]
    assert container["command"] == ["python", "-c", BOOTSTRAP]
    # Kubernetes would put a variable's value there.
    assert "$(" not in BOOTSTRAP
    compile(BOOTSTRAP, "bootstrap", "exec")
    assert (body["artifact_uri"], container["env"]) == ("gs://bucket/package/", [{"name": "A", "value": "b"}])
    assert 'export PORT="${AIP_HTTP_PORT:-8080}"' in serve_script(server())


def test_a_spot_machine_may_serve_and_runs_as_the_jobs_account() -> None:
    body = deployment_body(server(resources=Resources(spot=True)), DEFAULTS, MODEL)
    assert body["dedicated_resources"]["spot"] is True
    assert body["service_account"] == DEFAULTS.account
    assert "spot" not in deployment_body(server(), DEFAULTS, MODEL)["dedicated_resources"]


def test_a_batch_keeps_the_number_of_each_row_and_takes_the_rows_of_its_own_prefix() -> None:
    body = batch_body(server(), DEFAULTS, MODEL, ("gs://b/rows/", "gs://b/scored/"))
    assert body["input_config"]["gcs_source"]["uris"] == ["gs://b/rows/*"]
    assert body["instance_config"]["key_field"] == "causeway_row"
    assert json.dumps(body["manual_batch_tuning_parameters"]) == '{"batch_size": 64}'


@pytest.mark.parametrize(
    "resources", [Resources(disk=200 * GIB), Resources(spot=True)], ids=["disk", "spot of a batch"]
)
def test_what_vertex_ai_has_not_for_servers_is_refused(resources: Resources) -> None:
    with pytest.raises(ApplicationError, match="leave it out of resources") as raised:
        batch_body(server(resources=resources), DEFAULTS, MODEL, ("gs://b/rows/", "gs://b/scored/"))
    assert raised.value.type == ErrorKind.UNSUPPORTED


def test_a_server_without_an_image_is_refused() -> None:
    bare = JobDefaults("projects/p/locations/l", VertexMachines())
    with pytest.raises(ApplicationError, match="CAUSEWAY_IMAGE") as raised:
        model_body(server(), bare, "gs://bucket/package/")
    assert raised.value.type == ErrorKind.INVALID_REQUEST
