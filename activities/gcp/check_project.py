"""What a project says of itself: whether this account may do too much, what of its data is logged, how much it may train."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.api_core.exceptions import from_http_response
from google.auth.transport.requests import AuthorizedSession

from activities.gcp.settings import GcpSettings
from activities.looking import Look, finding, passed
from contracts.checks import CheckLine

TOO_MUCH = {
    "resourcemanager.projects.setIamPolicy": "it may give itself anything, as an owner may",
    "compute.instances.create": "it may make machines, as an editor may",
    "iam.serviceAccountKeys.create": "it may make keys of other accounts",
}
"""Nothing here does any of these: https://cloud.google.com/iam/docs/roles-overview#basic"""
LOGGED = ("DATA_READ", "DATA_WRITE")
CPUS = "aiplatform.googleapis.com/custom_model_training_cpus"
_OF_TRAINING = "aiplatform.googleapis.com/custom_model_training_"
_TIMEOUT = (5.0, 8.0)


class ProjectLooks:
    """One project, asked through Resource Manager and Service Usage."""

    def __init__(self, session: AuthorizedSession, settings: GcpSettings, account: str) -> None:
        """Ask with the session's identity, which is `account`."""
        self._session = session
        self._settings = settings
        self._account = account
        self._subject = f"project {settings.project}"

    def looks(self, *, jobs: bool) -> list[Look]:
        """Return what is looked at; quotas only where jobs are run."""
        fix = self._give("iam.securityReviewer")
        found = [
            Look("excess", self._subject, self._excess),
            Look("audit", self._subject, lambda: self._audit(jobs=jobs), fix=fix),
        ]
        quotas = Look("quota", self._subject, self._quota, fix=self._give("serviceusage.serviceUsageViewer"))
        return [*found, quotas] if jobs else found

    def _excess(self) -> Sequence[CheckLine]:
        told = self._project("testIamPermissions", {"permissions": list(TOO_MUCH)})
        held = [name for name in TOO_MUCH if name in told.get("permissions", [])]
        if not held:
            return [passed("excess", self._subject, "neither owner nor editor")]
        project = self._settings.project
        fix = (
            f"gcloud projects get-iam-policy {project} --flatten='bindings[].members' "
            f"--filter='bindings.members:{self._account}' --format='value(bindings.role)'"
            "  # then: python -m starter permissions PIPELINE --cloud gcp"
        )
        why = f"Whoever takes over the worker has its rights: {'; '.join(TOO_MUCH[name] for name in held)}."
        return [finding("excess", self._subject, "warning", f"may {', '.join(held)}", why, fix)]

    def _audit(self, *, jobs: bool) -> Sequence[CheckLine]:
        policy = self._project("getIamPolicy", {"options": {"requestedPolicyVersion": 3}})
        configs = policy.get("auditConfigs", [])
        services = ("storage.googleapis.com", *(("aiplatform.googleapis.com",) if jobs else ()))
        return [self._logged(service, configs) for service in services]

    def _logged(self, service: str, configs: Sequence[Mapping[str, Any]]) -> CheckLine:
        kinds = {
            held["logType"]
            for config in configs
            if config.get("service") in ("allServices", service)
            for held in config.get("auditLogConfigs", [])
        }
        missing = [kind for kind in LOGGED if kind not in kinds]
        subject, project = f"{service} of {self._settings.project}", self._settings.project
        if not missing:
            return passed("audit", subject, "who read and wrote what is logged")
        entry = f"{{service: {service}, auditLogConfigs: [{', '.join(f'{{logType: {kind}}}' for kind in missing)}]}}"
        fix = (
            f"gcloud projects get-iam-policy {project} > policy.yaml  # add to auditConfigs: {entry}; "
            f"then: gcloud projects set-iam-policy {project} policy.yaml"
        )
        why = "After a leak nobody could tell what was read or changed, and by whom."
        return finding("audit", subject, "warning", f"{' and '.join(missing)} are not logged", why, fix)

    def _quota(self) -> Sequence[CheckLine]:
        limits = self._limits()
        region, project = self._settings.location, self._settings.project
        subject = f"custom training in {region}"
        if CPUS not in limits:
            why = "How many CPUs jobs may have is not known before one is refused."
            return [finding("quota", subject, "unknown", "Vertex AI tells no limit of CPUs", why)]
        if limits[CPUS] == 0:
            fix = (
                f"gcloud beta quotas info list --service=aiplatform.googleapis.com --project={project} "
                "--filter='metric:custom_model_training_cpus'  # then: gcloud beta quotas preferences create"
            )
            return [
                finding("quota", subject, "failed", "0 CPUs", "Every job is refused for lack of quota.", fix)
            ]
        others = [
            f"{_count(limit)} {name.removeprefix(_OF_TRAINING)}"
            for name, limit in sorted(limits.items())
            if limit and name != CPUS and name.endswith("_gpus")
        ]
        return [
            passed("quota", subject, ", ".join([f"{_count(limits[CPUS])} CPUs", *(others or ["no GPUs"])]))
        ]

    def _limits(self) -> dict[str, int]:
        """Return what holds in the region for each metric of custom training; -1 is without limit."""
        parent = f"projects/{self._settings.project}/services/aiplatform.googleapis.com"
        url = f"{self._settings.service_usage_endpoint}/v1beta1/{parent}/consumerQuotaMetrics"
        found: dict[str, int] = {}
        page = ""
        while True:
            query = {"pageSize": "200", "view": "BASIC"} | ({"pageToken": page} if page else {})
            told = self._ask("GET", url, params=query)
            for metric in told.get("metrics", []):
                limit = _limit_of(metric, self._settings.location)
                if metric["metric"].startswith(_OF_TRAINING) and limit is not None:
                    found[metric["metric"]] = limit
            page = told.get("nextPageToken", "")
            if not page:
                return found

    def _project(self, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        project = f"{self._settings.resource_manager_endpoint}/v3/projects/{self._settings.project}"
        return self._ask("POST", f"{project}:{verb}", json=body)

    def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        answer = self._session.request(method, url, timeout=_TIMEOUT, **more)  # type: ignore[no-untyped-call] # no types
        if not answer.ok:
            raise from_http_response(answer)  # type: ignore[no-untyped-call] # the SDK has no types
        told: dict[str, Any] = answer.json()
        return told

    def _give(self, role: str) -> str:
        project = self._settings.project
        member = f"--member=serviceAccount:{self._account} --role=roles/{role}"
        return f"gcloud projects add-iam-policy-binding {project} {member}"


def _limit_of(metric: Mapping[str, Any], region: str) -> int | None:
    """Return the most specific limit that holds in a region: buckets are ordered, the default first."""
    buckets = [
        bucket
        for limit in metric.get("consumerQuotaLimits", [])
        for bucket in limit.get("quotaBuckets", [])
        if bucket.get("dimensions", {}).get("region") in (None, region)
    ]
    # A number of 64 bits is a text in JSON, and one that is 0 may be left out.
    return int(buckets[-1].get("effectiveLimit", 0)) if buckets else None


def _count(limit: int) -> str:
    return "unlimited" if limit < 0 else str(limit)
