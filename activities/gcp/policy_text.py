"""Grants as Google Cloud writes them: roles for `gcloud iam roles create`, conditions in IAM's own language, and commands."""

import hashlib
import json
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activities.gcp.settings import GcpSettings

LONGEST_OWNER = 40
"""So that a role's id has no more than the 64 characters that IAM takes."""
TITLES = {
    "objects": "writes and reads its own objects",
    "sources": "reads the objects that a pipeline names",
    "buckets": "sees and lists buckets",
    "create_buckets": "creates buckets",
    "vertex": "runs jobs and endpoints, and reads their logs",
    "act_as": "has jobs run as their account",
    "signer": "signs as itself, where it has no key",
    "table_jobs": "runs loads and queries",
    "tables": "loads tables",
    "read_tables": "reads the tables that queries name",
    "change_tables": "changes the tables that statements name",
    "job_objects": "writes what jobs write",
    "job_reads": "reads what jobs read",
    "job_lists": "lists buckets for jobs",
    "job_log": "writes the logs of jobs",
}


@dataclass(frozen=True)
class Grant:
    """Permissions on one resource, as far as a condition goes."""

    role: str
    permissions: Collection[str]
    resource: str
    """`projects/…`, `gs://bucket` or `serviceAccounts/…`."""
    condition: str = ""

    def project_of_role(self, usual: str) -> str:
        """Return the project that keeps the role: one of another project's is not known there."""
        return self.resource.removeprefix("projects/") if self.resource.startswith("projects/") else usual


def among(names: Sequence[tuple[str, str]]) -> str:
    """Return the condition that a resource is one of these: each is an operator and a name."""
    return " || ".join(_named(*name) for name in names)


def document(grants: Iterable[Grant], owner: str) -> dict[str, Any]:
    """Return the roles, each as `gcloud iam roles create --file` takes it, and where they are given."""
    held = list(grants)
    return {
        "roles": {role_id(grant.role, owner): _role(grant) for grant in held},
        "bindings": [_binding(grant, owner) for grant in held],
    }


def commands(owner: str, grants: Mapping[str, Sequence[Grant]], settings: GcpSettings) -> list[str]:
    """Return what creates the roles and gives them, for a shell; the first line is for the reader to change."""
    project = settings.project
    worker = f"causeway-worker@{project}.iam.gserviceaccount.com"
    lines = [f"WORKER={worker}  # the worker's own account"]
    members = {"worker": "$WORKER", "job_account": settings.job_account or ""}
    for who, held in grants.items():
        roles = {_create(grant, owner, project): None for grant in held}
        lines += [*roles, *(_bind(grant, owner, members[who], project) for grant in held)]
    return lines


def role_id(name: str, owner: str) -> str:
    """Return the id of a role of its owner's: at most 64 letters, digits and underscores."""
    told = re.sub(r"[^A-Za-z0-9]", "_", owner)
    if len(told) > LONGEST_OWNER:
        told = f"{told[: LONGEST_OWNER - 9]}_{hashlib.sha256(owner.encode()).hexdigest()[:8]}"
    return f"causeway_{told}_{name}"


def _role(grant: Grant) -> dict[str, Any]:
    return {
        "title": f"Causeway {grant.role}",
        "description": f"Causeway {TITLES[grant.role]}",
        "stage": "GA",
        "includedPermissions": sorted(grant.permissions),
    }


def _binding(grant: Grant, owner: str) -> dict[str, Any]:
    told = {"role": role_id(grant.role, owner), "resource": grant.resource}
    condition = {"title": f"causeway_{grant.role}", "expression": grant.condition}
    return {**told, "condition": condition} if grant.condition else told


def _create(grant: Grant, owner: str, project: str) -> str:
    role = _role(grant)
    return (
        f"gcloud iam roles create {role_id(grant.role, owner)} --project={grant.project_of_role(project)} --stage=GA "
        f"--title={shlex.quote(role['title'])} --permissions={','.join(role['includedPermissions'])}"
    )


def _bind(grant: Grant, owner: str, member: str, project: str) -> str:
    kind, _, name = grant.resource.partition("/")
    command = {
        "projects": f"gcloud projects add-iam-policy-binding {name}",
        "serviceAccounts": f'gcloud iam service-accounts add-iam-policy-binding "{name}" --project={project}',
    }.get(kind, f"gcloud storage buckets add-iam-policy-binding {grant.resource}")
    condition = f"expression={grant.condition},title=causeway_{grant.role}" if grant.condition else "None"
    role = f"projects/{grant.project_of_role(project)}/roles/{role_id(grant.role, owner)}"
    # Without a word about conditions gcloud asks, where others of the policy have one.
    told = f"--condition={shlex.quote(condition)}"
    return f'{command} --member="serviceAccount:{member}" --role={role} {told}'


def _named(operator: str, name: str) -> str:
    # Names hold no comma that gcloud would take for the next of its fields: a JSON string can spell it otherwise.
    told = json.dumps(name).replace(",", "\\u002c")
    return f"resource.name.startsWith({told})" if operator == "startsWith" else f"resource.name == {told}"
