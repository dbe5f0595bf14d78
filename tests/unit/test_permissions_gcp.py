"""What the Google Cloud room asks is declared beside the call, and becomes roles, conditions and commands."""

import ast
import importlib
import inspect
import shlex
from pathlib import Path
from typing import Any

import pytest
from google.auth.transport.requests import AuthorizedSession
from google.cloud import bigquery, storage  # type: ignore[attr-defined]
from google.cloud.aiplatform_v1 import EndpointServiceClient, JobServiceClient, ModelServiceClient

from activities.gcp import batch, jobs, operations, policy, policy_tables
from activities.gcp.policy_text import role_id
from activities.gcp.settings import GcpSettings
from contracts.permissions import PermissionRequest
from starter.spec.load import find, load
from tests.house import CHECKOUT
from workflows.permissions import requests_of

GCP = GcpSettings.from_mapping(
    {
        "CAUSEWAY_CONTAINER": "acme",
        "GOOGLE_CLOUD_PROJECT": "acme-project",
        "CAUSEWAY_GCP_LOCATION": "europe-west4",
        "CAUSEWAY_GCP_JOB_ACCOUNT": "jobs@acme-project.iam.gserviceaccount.com",
    }
)
CLIENTS: tuple[Any, ...] = (
    *(storage.Client, storage.Bucket, storage.Blob),
    *(bigquery.Client, bigquery.LoadJob, bigquery.QueryJob, AuthorizedSession),
    *(EndpointServiceClient, JobServiceClient, ModelServiceClient),
)
DECLARATIONS = ("NEEDS", "NEEDS_TO_CREATE", "NEEDS_OF_ENDPOINTS", "NEEDS_WITH_ACCOUNT")
MODULES = [
    path
    for path in sorted((CHECKOUT / "activities/gcp").glob("*.py"))
    # What a check asks it asks on purpose, also what it may not do.
    if not path.stem.startswith(("check", "policy"))
]


def operations_of_clients() -> set[str]:
    """Every method of the SDK's classes that takes a timeout: it asks the network."""
    return {
        name
        for client in CLIENTS
        for name, method in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_") and "timeout" in inspect.signature(method).parameters
    } | {"generate_signed_url"}


OPERATIONS = operations_of_clients()
# As in `bigquery.Client.cancel_job`: a word of these is nothing else here, so it is a call also without a timeout.
UNMISTAKABLE = {name for name in OPERATIONS if "_" in name}


def asked(path: Path) -> set[str]:
    """What a module calls with a timeout, by the name it has in the text, and every name that only a client has."""
    tree = ast.parse(path.read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and "timeout" in {word.arg for word in node.keywords}
    ]
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {name for call in calls if (name := name_of(call))} | (names & UNMISTAKABLE)


def name_of(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name):
            return name
        # `self._method("cancel")(…)`: the kind of job says the rest.
        case ast.Call(args=[ast.Constant(value=str(verb)), *_]):
            return verb
        # `_asked(self._client.undeploy_model, …)`
        case ast.Name(id="_asked"):
            return call.args[0].attr if isinstance(call.args[0], ast.Attribute) else ""
        case other:
            raise AssertionError(f"line {call.lineno}: what {ast.unparse(other)} calls cannot be told")


def declared(path: Path) -> dict[str, tuple[str, ...]]:
    module = importlib.import_module(f"activities.gcp.{path.stem}")
    held: dict[str, tuple[str, ...]] = {}
    for name in DECLARATIONS:
        for call, permissions in getattr(module, name, {}).items():
            held[call] = (*held.get(call, ()), *permissions)
    return held


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_call_of_google_cloud_declares_what_it_needs(path: Path) -> None:
    assert asked(path) <= declared(path).keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_what_is_declared_for_google_cloud_is_called(path: Path) -> None:
    calls = jobs.NEEDS.keys() if path.stem == "batch" else asked(path)
    assert declared(path).keys() <= calls


def test_the_calls_of_batches_are_those_of_jobs() -> None:
    assert batch.NEEDS.keys() == jobs.NEEDS.keys()


def test_metrics_may_be_written_where_they_are_switched_on_and_nowhere_else() -> None:
    request = PermissionRequest(connection="gcp/default")
    told = [policy.worker_grants(request, GCP.model_copy(update={"monitoring": on})) for on in (True, False)]
    granted = [{name for grant in held for name in grant.permissions} for held in told]
    assert granted[0] - granted[1] == {"monitoring.metricDescriptors.create", "monitoring.timeSeries.create"}


def test_what_a_module_of_google_cloud_declares_reaches_the_roles() -> None:
    held = {
        *policy.STORAGE,
        *policy_tables.TABLES,
        *(one for found in policy.SERVICES.values() for one in found),
    }
    names = {module.__name__.rpartition(".")[2] for module in held} | {"signing"}
    assert {path.stem for path in MODULES if declared(path)} == names


def everything(**more: Any) -> PermissionRequest:
    features = ("jobs", "batch_predict", "endpoints", "tables")
    return PermissionRequest.model_validate(
        {"connection": "gcp/default", "pipeline": "all", "features": features, "create": True, **more}
    )


def granted(request: PermissionRequest) -> dict[str, set[str]]:
    return {grant.role: set(grant.permissions) for grant in policy.worker_grants(request, GCP)}


def conditions(request: PermissionRequest, role: str) -> dict[str, str]:
    grants = policy.worker_grants(request, GCP)
    return {grant.resource: grant.condition for grant in grants if grant.role == role}


def test_all_that_is_declared_is_granted_to_a_pipeline_that_does_everything() -> None:
    permissions = {name for path in MODULES for names in declared(path).values() for name in names}
    allowed = granted(everything(tables=("demo.rows",)))
    assert permissions == set().union(*allowed.values())


def test_a_connection_of_google_cloud_that_only_moves_data_gets_no_right_to_jobs() -> None:
    allowed = granted(PermissionRequest(connection="gcp/default"))
    assert allowed.keys() == {"objects", "buckets", "signer"}
    assert {name.partition(".")[0] for names in allowed.values() for name in names} == {"storage", "iam"}
    assert "storage.buckets.create" not in set().union(*allowed.values())
    assert policy.policies(PermissionRequest(connection="gcp/default"), GCP).keys() == {"worker", "commands"}


@pytest.mark.parametrize(
    ("feature", "has", "lacks"),
    [
        ("jobs", "aiplatform.customJobs.create", "aiplatform.endpoints.deploy"),
        ("batch_predict", "aiplatform.batchPredictionJobs.create", "aiplatform.endpoints.deploy"),
        ("endpoints", "aiplatform.endpoints.deploy", "aiplatform.customJobs.create"),
    ],
)
def test_a_feature_of_google_cloud_brings_its_own_rights_only(feature: str, has: str, lacks: str) -> None:
    request = PermissionRequest.model_validate({"connection": "gcp/default", "features": [feature]})
    allowed = granted(request)
    assert has in allowed["vertex"]
    assert lacks not in allowed["vertex"]
    assert allowed["act_as"] == {"iam.serviceAccounts.actAs"}
    assert not [name for names in allowed.values() for name in names if name.startswith("bigquery.")]


def test_what_is_only_read_in_google_cloud_may_not_be_written() -> None:
    request = PermissionRequest(
        connection="gcp/default", reads=("gs://lake/raw/", "gs://lake/one.csv"), writes=("gs://mart/out/",)
    )
    lake = "projects/_/buckets/lake/objects"
    assert conditions(request, "sources") == {
        "gs://lake": f'resource.name.startsWith("{lake}/raw/") || resource.name == "{lake}/one.csv"'
    }
    assert granted(request)["sources"] == {"storage.objects.get"}
    mart = "projects/_/buckets/mart/objects"
    written = conditions(request, "objects")
    assert set(written) == {"gs://acme", "gs://mart"}
    # Parts of large objects lie beside them before they are composed.
    assert written["gs://mart"] == (
        f'resource.name.startsWith("{mart}/out/") || resource.name.startsWith("{mart}/.causeway/uploads/out/")'
    )


def test_a_condition_has_no_more_operators_than_iam_takes() -> None:
    request = PermissionRequest(
        connection="gcp/default", reads=tuple(f"gs://lake/{number}/" for number in range(30))
    )
    found = [held.condition for held in policy.worker_grants(request, GCP) if held.role == "sources"]
    assert [text.count("||") for text in found] == [11, 11, 5]


def test_a_load_may_touch_its_table_and_what_it_stages_and_nothing_else_of_the_dataset() -> None:
    request = PermissionRequest(connection="gcp/default", features=("tables",), tables=("demo.rows",))
    demo = "projects/acme-project/datasets/demo"
    assert conditions(request, "tables") == {
        "projects/acme-project": f'resource.name == "{demo}" || resource.name == "{demo}/tables/rows" || '
        f'resource.name.startsWith("{demo}/tables/causeway_staging_")'
    }


@pytest.mark.parametrize(
    ("sql", "read", "changed"),
    [
        ("SELECT a.x, b.y FROM d.one a JOIN `p-1.d.two` AS b USING (x)", {"d.one", "p-1.d.two"}, set()),
        ("WITH x AS (SELECT 1 FROM d.t) SELECT * FROM x, d.other o WHERE o.a = 1", {"d.t", "d.other"}, set()),
        ("INSERT INTO d.out SELECT * FROM d.src -- FROM d.no", {"d.src"}, {"d.out"}),
        ("MERGE `d`.`t` USING d.s ON 1 = 1 WHEN MATCHED THEN DELETE", {"d.s"}, {"d.t"}),
        ("CREATE OR REPLACE TABLE d.new AS SELECT 1", set(), {"d.new"}),
        ("SELECT 1", set(), set()),
    ],
)
def test_a_statement_tells_which_tables_it_reads_and_changes(
    sql: str, read: set[str], changed: set[str]
) -> None:
    assert policy_tables.named(sql, policy_tables.READ) == read
    assert policy_tables.named(sql, policy_tables.CHANGED) == changed


def test_a_query_that_only_reads_may_change_nothing() -> None:
    request = PermissionRequest(
        connection="gcp/default", features=("tables",), statements=("SELECT * FROM other.rows",)
    )
    assert granted(request)["read_tables"] == {"bigquery.tables.get", "bigquery.tables.getData"}
    assert "change_tables" not in granted(request)


def test_a_role_of_another_project_is_made_there() -> None:
    request = PermissionRequest(
        connection="gcp/default", features=("tables",), statements=("SELECT * FROM `elsewhere.d.t`",)
    )
    told = [line for line in policy.policies(request, GCP)["commands"] if "read_tables" in line]
    assert "--project=elsewhere" in told[0]
    assert "projects add-iam-policy-binding elsewhere " in told[1]
    assert "--role=projects/elsewhere/roles/" in told[1]


def test_a_jobs_account_reaches_its_own_prefix_and_the_log() -> None:
    request = PermissionRequest(connection="gcp/default", features=("jobs",), reads=("gs://lake/raw/",))
    grants = policy.job_account_grants(request, GCP)
    (writes,) = [grant for grant in grants if "storage.objects.create" in grant.permissions]
    assert writes.condition == 'resource.name.startsWith("projects/_/buckets/acme/objects/runs/")'
    assert {name for grant in grants for name in grant.permissions} == {
        *policy.OF_JOBS,
        *("storage.objects.list", "logging.logEntries.create"),
    }
    assert not policy.job_account_grants(request, GCP.model_copy(update={"job_account": None}))


def test_each_binding_has_its_role_and_each_command_is_whole() -> None:
    told = policy.policies(everything(tables=("demo.rows",), reads=("gs://lake/a, b/",)), GCP)
    for who in ("worker", "job_account"):
        assert {held["role"] for held in told[who]["bindings"]} == told[who]["roles"].keys()
    created = [line for line in told["commands"] if " roles create " in line]
    bound = [line for line in told["commands"] if "add-iam-policy-binding" in line]
    count = {who: len(told[who]["roles"]) for who in ("worker", "job_account")}
    assert len(created) == sum(count.values())
    assert len(bound) == len(told["worker"]["bindings"]) + len(told["job_account"]["bindings"])
    for line in bound:
        (condition,) = [word for word in shlex.split(line) if word.startswith("--condition=")]
        # gcloud takes a comma for the end of a field.
        assert condition.count(",") == (0 if condition == "--condition=None" else 1)


def test_a_role_is_named_after_its_pipeline_and_no_longer_than_iam_takes() -> None:
    assert role_id("objects", "quick-start_default") == "causeway_quick_start_default_objects"
    long = [role_id("change_tables", f"{'a' * 80}-{number}") for number in range(2)]
    assert len(set(long)) == 2
    assert all(len(name) <= 64 for name in long)


def test_the_quickstart_may_read_what_it_loads_and_asks() -> None:
    (asked_for,) = (
        held for held in requests_of(load(find("quickstart")).spec) if held.connection == "gcp/default"
    )
    assert {"tables", "read_tables", "table_jobs"} <= granted(asked_for).keys()
    assert "predictions" in conditions(asked_for, "read_tables")["projects/acme-project"]
    assert operations.NEEDS_OF_ENDPOINTS["request"][0] not in granted(asked_for).get("vertex", set())
