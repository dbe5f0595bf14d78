"""The Azure ML workspace: there, with its compute and datastore; jobs may be submitted, and not much more."""

import re
from typing import Any

from activities.azure import arm
from activities.azure.arm import ResourceReader
from activities.azure.settings import AzureSettings
from activities.looking import Look, finding, passed
from contracts.checks import CheckLine

SUBMIT = "Microsoft.MachineLearningServices/workspaces/jobs/write"
ROLE = "AzureML Data Scientist"
Permissions = list[dict[str, Any]]


class WorkspaceLooks:
    """One workspace, by its ARM id."""

    def __init__(
        self, reader: ResourceReader, workspace_id: str, settings: AzureSettings, principal: str
    ) -> None:
        """Read it with this reader; `principal` is the object id that a missing right is given to."""
        self._reader = reader
        self._id = workspace_id
        self._settings = settings
        self._names = f"--workspace-name {settings.workspace} --resource-group {settings.resource_group}"
        self._assignment = (
            f"--assignee-object-id {principal} --assignee-principal-type ServicePrincipal "
            f'--role "{ROLE}" --scope "{workspace_id}"'
        )

    def region(self) -> str:
        """Where the workspace is."""
        return str(self._reader.get(self._id, arm.MACHINE_LEARNING).get("location") or "")

    def all(self) -> list[Look]:
        """Every look at the workspace."""
        told, give = self._settings, f"az role assignment create {self._assignment}"
        why = "No training, batch or endpoint stage can run."
        looks = [
            Look("jobs", f"workspace {told.workspace}", self._workspace, "failed", why, give),
            Look(
                "jobs", f"datastore {told.datastore}", self._datastore, "failed", why, self._make_datastore()
            ),
            Look("jobs", SUBMIT, self._submit, fix=give),
            Look("excess", f"workspace {told.workspace}", self._excess, fix=give),
            Look("quota", f"workspace {told.workspace}", self._quota, fix=give),
        ]
        if told.compute:
            made = (
                f"az ml compute create --type AmlCompute --name {told.compute} --size STANDARD_D2_V3 "
                f"--min-instances 0 --max-instances 4 {self._names}"
            )
            looks.append(Look("jobs", f"compute {told.compute}", self._compute, "failed", why, made))
        return looks

    def _child(self, path: str) -> dict[str, Any]:
        return self._reader.get(f"{self._id}/{path}", arm.MACHINE_LEARNING).get("properties") or {}

    def _workspace(self) -> list[CheckLine]:
        return [passed("jobs", f"workspace {self._settings.workspace}", f"in {self.region()}")]

    def _datastore(self) -> list[CheckLine]:
        told = self._settings
        subject, found = f"datastore {told.datastore}", self._child(f"datastores/{told.datastore}")
        container = found.get("containerName")
        if container == told.container:
            return [passed("jobs", subject, f"is container {container}")]
        why = "Jobs would write where the worker does not look."
        shown = f"is container {container}, not {told.container}"
        return [finding("jobs", subject, "failed", shown, why, self._make_datastore())]

    def _make_datastore(self) -> str:
        told = self._settings
        return (
            "printf '$schema: https://azuremlschemas.azureedge.net/latest/azureBlob.schema.json\\nname: causeway\\n"
            f'type: azure_blob\\naccount_name: %s\\ncontainer_name: {told.container}\\n\' "$STORAGE_ACCOUNT" > '
            f"datastore.yaml && az ml datastore create --file datastore.yaml {self._names}  # and set "
            "CAUSEWAY_AZURE_DATASTORE=causeway"
        )

    def _compute(self) -> list[CheckLine]:
        name = self._settings.compute
        found, subject = self._child(f"computes/{name}"), f"compute {name}"
        state = str(found.get("provisioningState") or "")
        inner = found.get("properties") or {}
        most = (inner.get("scaleSettings") or {}).get("maxNodeCount")
        if state != "Succeeded":
            why = "Jobs wait for it, or fail."
            fix = f"az ml compute show --name {name} {self._names}"
            return [finding("jobs", subject, "failed", f"its state is {state or 'not told'}", why, fix)]
        if most == 0:
            fix = f"az ml compute update --name {name} --max-instances 4 {self._names}"
            return [
                finding(
                    "quota", subject, "failed", "may have no node at all", "Every job waits for ever.", fix
                )
            ]
        return [passed("jobs", subject, f"{inner.get('vmSize')}, up to {most} nodes")]

    def _permissions(self) -> Permissions:
        found = self._reader.get(
            f"{self._id}/providers/Microsoft.Authorization/permissions", arm.AUTHORIZATION
        )
        return list(found.get("value") or [])

    def _submit(self) -> list[CheckLine]:
        if any(allows(one, SUBMIT) for one in self._permissions()):
            return [passed("jobs", SUBMIT, "may submit jobs")]
        why = "The first training stage would be refused."
        return [
            finding(
                "jobs",
                SUBMIT,
                "failed",
                "no role allows it",
                why,
                f"az role assignment create {self._assignment}",
            )
        ]

    def _excess(self) -> list[CheckLine]:
        subject = f"workspace {self._settings.workspace}"
        wide = [one for one in self._permissions() if "*" in (one.get("actions") or [])]
        if not wide:
            return [passed("excess", subject, "no role allows everything")]
        whole = any(not one.get("notActions") for one in wide)
        name = "Owner" if whole else "Contributor"
        why = "Whoever takes over this worker can delete the workspace, or give itself more rights."
        fix = f"az role assignment create {self._assignment} && az role assignment delete {_without_role(self._assignment, name)}"
        return [
            finding(
                "excess", subject, "warning", f"everything is allowed ({name}); {ROLE} is enough", why, fix
            )
        ]

    def _quota(self) -> list[CheckLine]:
        place = re.sub(r"\s", "", self.region()).lower()
        provider = f"/subscriptions/{self._settings.subscription}/providers/Microsoft.MachineLearningServices"
        scope = f"{provider}/locations/{place}"
        used = self._reader.get(f"{scope}/usages", arm.MACHINE_LEARNING).get("value") or []
        full = [
            f"{(one.get('name') or {}).get('value')} {one.get('currentValue')} of {one.get('limit')}"
            for one in used
            if one.get("limit", -1) > 0 and one.get("currentValue", 0) >= one["limit"]
        ]
        if not full:
            return [passed("quota", place, f"none of {len(used)} quotas is used up")]
        why = "Jobs that need it wait until something else ends."
        first = full[0].split(" ", 1)[0]
        fix = (
            f'az quota update --resource-name "{first}" --scope "{scope}" --resource-type dedicated '
            '--limit-object value="$NEW_LIMIT" limit-object-type=LimitValue'
        )
        return [finding("quota", place, "warning", ", ".join(full[:5]), why, fix)]


def allows(permission: dict[str, Any], action: str) -> bool:
    """Whether one entry of a permission list allows an action: in its actions, and in none of its notActions."""
    return _any(permission.get("actions"), action) and not _any(permission.get("notActions"), action)


def _any(patterns: Any, action: str) -> bool:
    wanted = (re.escape(str(pattern)).replace(r"\*", ".*") for pattern in patterns or ())
    return any(re.fullmatch(pattern, action, re.IGNORECASE) for pattern in wanted)


def _without_role(assignment: str, role: str) -> str:
    return (
        assignment.replace("--assignee-object-id", "--assignee")
        .replace(" --assignee-principal-type ServicePrincipal", "")
        .replace(f'"{ROLE}"', f'"{role}"')
    )
