"""The smallest roles for a pipeline on Azure: the worker's, the jobs', where each is assigned, and the commands that do so.

Actions are those that each module of the room declares beside its calls. A role of one's own says what; the scope of an
assignment and its condition say where.
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from activities.azure import (
    batch_code,
    batch_endpoints,
    batch_find,
    batch_jobs,
    blocks,
    claims,
    connection,
    copies,
    endpoints,
    history,
    hosting,
    invocations,
    jobs,
    removal,
    scoring,
    signing,
    staging,
    store,
    sweep,
    workspace,
    writer,
)
from activities.azure.actions import BLOB_READ, BLOB_WRITE, BLOBS, CONTAINER_READ, DELEGATION_KEY
from activities.azure.conditions import VERSION, Place, condition
from activities.azure.settings import AzureSettings
from contracts.artifacts import locate
from contracts.permissions import Feature, PermissionRequest
from contracts.storage import HIDDEN

STORAGE = (store, blocks, writer, copies, removal, staging, signing)
JOBS = (connection, workspace, jobs, history, sweep, batch_find)
SERVICES: dict[Feature, tuple[Any, ...]] = {
    "jobs": JOBS,
    "batch_predict": (*JOBS, hosting, claims, batch_code, batch_endpoints, batch_jobs, invocations),
    "endpoints": (connection, workspace, endpoints, hosting, scoring),
}
OWN_PREFIXES = ("code/", "runs/", HIDDEN)
"""Where Causeway writes in the default container."""
DELEGATOR = "Storage Blob Delegator"
"""Its one action is to get the key of signatures, which only the scope of an account takes."""
READER = "Storage Blob Data Reader"
PUBLISHER = "Monitoring Metrics Publisher"
"""What Application Insights takes of who sends it metrics by an identity:
https://learn.microsoft.com/azure/azure-monitor/app/azure-ad-authentication"""
WORKER, CLUSTER = "WORKER", "CLUSTER"
"""Variables of the commands: the object ids of the worker's identity, and of the one that jobs have."""
MONITOR = "$MONITOR"
"""The id of the Application Insights resource, which its connection string does not tell: another variable."""
Role = dict[str, Any]


def policies(request: PermissionRequest, settings: AzureSettings) -> dict[str, Any]:
    """Return role, assignments and commands of the worker; and of jobs, where there are any."""
    role = worker_role(request, settings)
    told = _told("worker", WORKER, role, worker_assignments(request, settings))
    if not _runs_jobs(request):
        return told
    role = job_role(request, settings)
    return told | _told("job", CLUSTER, role, job_assignments(request, settings))


def worker_role(request: PermissionRequest, settings: AzureSettings) -> Role:
    """Return the role of the worker's identity, for exactly what a pipeline does on this connection."""
    modules = [*STORAGE, *(module for feature in request.features for module in SERVICES.get(feature, ()))]
    actions = set().union(*(_values(module.NEEDS) for module in modules)) - {DELEGATION_KEY}
    actions |= _values(store.NEEDS_TO_CREATE) if request.create else set()
    return _role("worker", request, settings, actions)


def worker_assignments(request: PermissionRequest, settings: AzureSettings) -> list[dict[str, str]]:
    """Return where the worker's roles count: on its containers or their account, on the workspace, where its metrics go."""
    name, account = _name("worker", request), account_id(settings)
    places = _places(request, settings)
    writes = _writes(worker_role(request, settings))
    if request.create:
        # A container that is not there yet is no scope.
        stores = [_assigned(name, account, condition(places, writes))]
    else:
        stores = [
            _assigned(
                name if any(place.written for place in held) else READER,
                f"{account}/blobServices/default/containers/{container}",
                condition(held, writes),
            )
            for container, held in _by_container(places).items()
        ]
    service = [_assigned(name, workspace_id(settings))] if _machine_learning(request) else []
    metrics = [_assigned(PUBLISHER, MONITOR)] if settings.monitor else []
    return [*stores, _assigned(DELEGATOR, account), *service, *metrics]


def job_role(request: PermissionRequest, settings: AzureSettings) -> Role:
    """Return the role of the identity that jobs have: data alone."""
    return _role("job", request, settings, {CONTAINER_READ, BLOB_READ, BLOB_WRITE})


def job_assignments(request: PermissionRequest, settings: AzureSettings) -> list[dict[str, str]]:
    """Return where it counts: jobs read what the worker has put or taken in, and write below `runs/`."""
    places = [Place(place.container, place.name, written=False) for place in _places(request, settings)]
    places.append(Place(settings.container, "runs/", written=True))
    account, name = account_id(settings), _name("job", request)
    return [
        _assigned(
            name if any(place.written for place in held) else READER,
            f"{account}/blobServices/default/containers/{container}",
            condition(held, (BLOB_WRITE,)),
        )
        for container, held in _by_container(places).items()
    ]


def group_id(settings: AzureSettings) -> str:
    """Return the ARM id of the workspace's resource group."""
    return f"/subscriptions/{settings.subscription}/resourceGroups/{settings.resource_group}"


def workspace_id(settings: AzureSettings) -> str:
    """Return the ARM id of the workspace."""
    provider = "Microsoft.MachineLearningServices/workspaces"
    return f"{group_id(settings)}/providers/{provider}/{settings.workspace}"


def account_id(settings: AzureSettings) -> str:
    """Return the ARM id of the account, which is taken to be in the workspace's resource group."""
    host, _, path = settings.storage_url.partition("://")[2].rstrip("/").partition("/")
    # An emulator's address has the account for a path.
    name = path or host.partition(".")[0]
    return f"{group_id(settings)}/providers/Microsoft.Storage/storageAccounts/{name}"


def commands(variable: str, role: Role, assignments: Iterable[Mapping[str, str]]) -> list[str]:
    """Return what makes the role and assigns it; the object id of who gets it is taken from a variable."""
    made = f"az role definition create --role-definition {shlex.quote(json.dumps(role))}"
    given = [
        f'az role assignment create --assignee-object-id "${variable}" --assignee-principal-type ServicePrincipal '
        f"--role {shlex.quote(held['Role'])} --scope {_quoted(held['Scope'])}{_condition_option(held)}"
        for held in assignments
    ]
    return [made, *given]


def _quoted(scope: str) -> str:
    return f'"{MONITOR}"' if scope == MONITOR else shlex.quote(scope)


def _condition_option(held: Mapping[str, str]) -> str:
    if "Condition" not in held:
        return ""
    return f" --condition {shlex.quote(held['Condition'])} --condition-version {held['ConditionVersion']}"


def _told(whose: str, variable: str, role: Role, assignments: list[dict[str, str]]) -> dict[str, Any]:
    return {
        f"{whose}_role": role,
        f"{whose}_assignments": assignments,
        f"{whose}_commands": commands(variable, role, assignments),
    }


def _role(whose: str, request: PermissionRequest, settings: AzureSettings, actions: set[str]) -> Role:
    data = {action for action in actions if action.startswith(f"{BLOBS}/")}
    return {
        "Name": _name(whose, request),
        "IsCustom": True,
        "Description": f"What the pipeline {request.pipeline} needs on {request.connection}, for its {whose}.",
        "Actions": sorted(actions - data),
        "NotActions": [],
        "DataActions": sorted(data),
        "NotDataActions": [],
        "AssignableScopes": [group_id(settings)],
    }


def _name(whose: str, request: PermissionRequest) -> str:
    """The role's name, which a directory has once."""
    return "-".join(("causeway", whose, request.pipeline, *request.connection.split("/")))


def _writes(role: Role) -> list[str]:
    return [action for action in role["DataActions"] if action != BLOB_READ]


def _runs_jobs(request: PermissionRequest) -> bool:
    return not {"jobs", "batch_predict"}.isdisjoint(request.features)


def _machine_learning(request: PermissionRequest) -> bool:
    return not SERVICES.keys().isdisjoint(request.features)


def _places(request: PermissionRequest, settings: AzureSettings) -> list[Place]:
    own = [Place(settings.container, prefix, written=True) for prefix in OWN_PREFIXES]
    written = [_place(uri, written=True) for uri in request.writes]
    # What others push arrives aside, under the name of its target.
    aside = [
        Place(place.container, f"{staging.PREFIX}{place.name.rpartition('/')[0]}/", True) for place in written
    ]
    return [*own, *written, *aside, *(_place(uri, written=False) for uri in request.reads)]


def _place(uri: str, *, written: bool) -> Place:
    location = locate(uri)
    return Place(location.container, location.name, written)


def _by_container(places: Iterable[Place]) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for place in sorted(set(places)):
        found.setdefault(place.container, []).append(place)
    return found


def _assigned(role: str, scope: str, limited: str = "") -> dict[str, str]:
    told = {"Role": role, "Scope": scope}
    return told | {"Condition": limited, "ConditionVersion": VERSION} if limited else told


def _values(needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    return {action for actions in needs.values() for action in actions}
