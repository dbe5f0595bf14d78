"""What a Google Cloud connection answers when it is checked: what can be seen with the worker's own identity."""

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from google.auth.credentials import Credentials
from google.auth.transport.requests import Request
from google.cloud import bigquery, storage
from temporalio import activity

from activities.gcp.check_bucket import BucketLooks
from activities.gcp.check_policy import PolicyLooks
from activities.gcp.check_project import ProjectLooks
from activities.gcp.errors import translate
from activities.gcp.identity import account_of
from activities.gcp.settings import GcpSettings
from activities.gcp.table_jobs import NO_RETRY
from activities.looking import Look, finding, look_at_all, passed, probe_look, reach_look
from activities.store import Store
from contracts.artifacts import locate
from contracts.checks import CheckActivities, CheckLine, CheckReport, CheckRequest
from contracts.connections import Capability

_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_TIMEOUT = (5.0, 8.0)
_TOKEN_TIMEOUT = 8.0
_ALL: tuple[Capability, ...] = ("storage", "jobs", "tables")


class GcpCheck(CheckActivities):
    """One project's region, looked at with the identity that does the work."""

    def __init__(
        self,
        settings: GcpSettings,
        store: Store,
        clients: tuple[storage.Client, bigquery.Client, Any],
        identity: Credentials,
        long_lived: bool,
        vertex_address: str,
        project: ProjectLooks,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Check what the clients of Cloud Storage, BigQuery and Vertex AI's jobs reach."""
        self._settings = settings
        self._store = store
        self._objects, self._tables, self._jobs = clients
        self._identity = identity
        self._long_lived = long_lived
        self._vertex_address = vertex_address
        self._project = project
        self._now = now

    @activity.defn(name="connections.check", no_thread_cancel_exception=True)
    def check(self, request: CheckRequest) -> CheckReport:
        """See the contract."""
        needs = _ALL if request.needs is None else request.needs.needs
        named = request.needs.containers if request.needs else ()
        looks = [self._who(), *self._reach(needs), *self._project.looks(jobs="jobs" in needs)]
        for uri in dict.fromkeys((self._store.default_container, *named)):
            looks += self._container(locate(uri).container)
        if "jobs" in needs:
            looks += [self._look_at_jobs(), *self._image(request)]
        if "tables" in needs:
            looks.append(self._look_at_tables())
        lines = (self._credential(), *look_at_all(looks, translate))
        return CheckReport(
            connection=request.connection, identity=account_of(self._identity), lines=tuple(lines)
        )

    def _who(self) -> Look:
        """Credentials name an account whether Google takes them or not: only a token that was given shows it."""

        def asked() -> list[CheckLine]:
            # Not every kind of credentials has a typed way to ask.
            refresh: Any = self._identity.refresh
            refresh(partial(Request(), timeout=_TOKEN_TIMEOUT))
            return [passed("identity", "credentials", account_of(self._identity))]

        account = account_of(self._identity)
        fix = f"gcloud iam service-accounts describe {account} --project {self._settings.project}"
        keys = f"{fix}  # and whether the file that {_FILE} names is one of its own"
        return Look("identity", "credentials", asked, "failed", "Nothing is done for who is not known.", keys)

    def _reach(self, needs: Sequence[Capability]) -> list[Look]:
        settings = self._settings
        urls = {"Cloud Storage": settings.storage_endpoint}
        urls["Resource Manager"] = settings.resource_manager_endpoint
        if "jobs" in needs:
            urls |= {"Vertex AI": self._vertex_address, "Cloud Logging": settings.logging_endpoint}
        if "tables" in needs:
            urls["BigQuery"] = settings.bigquery_endpoint
        return [reach_look(name, url, self._now) for name, url in urls.items()]

    def _credential(self) -> CheckLine:
        if not self._long_lived:
            return passed("keys", "credentials", "no key file")
        why = "It works for whoever finds it, until it is removed by hand; a workload identity has nothing to leak."
        fix = (
            f"gcloud iam workload-identity-pools create causeway --location global --project {self._settings.project}"
            "  # docs/connections.md goes on; then take the file away"
        )
        return finding("keys", _FILE, "warning", "a key of a service account", why, fix)

    def _container(self, name: str) -> list[Look]:
        uri, give = (
            f"gs://{name}/",
            self._give(f"gcloud storage buckets add-iam-policy-binding gs://{name}", "storage.objectUser"),
        )
        looks = BucketLooks(self._objects, name, self._settings.location)
        policy = PolicyLooks(self._objects, name)
        missing = (
            f"{give}  # where there is no such bucket: gcloud storage buckets create gs://{name} "
            f"--location={self._settings.location} --uniform-bucket-level-access --public-access-prevention"
        )
        return [
            Look(
                "read",
                uri,
                lambda: self._listed(name),
                "failed",
                "No stage that uses this bucket can run.",
                missing,
            ),
            probe_look(self._store, uri, uuid.uuid4().hex, give),
            Look(
                "region",
                uri,
                looks.all,
                fix=self._give(
                    f"gcloud storage buckets add-iam-policy-binding gs://{name}", "storage.legacyBucketReader"
                ),
            ),
            Look(
                "public_access",
                uri,
                policy.opened,
                fix=self._give(
                    f"gcloud projects add-iam-policy-binding {self._settings.project}", "iam.securityReviewer"
                ),
            ),
        ]

    def _listed(self, name: str) -> list[CheckLine]:
        next(iter(self._objects.list_blobs(name, max_results=1, timeout=_TIMEOUT, retry=None)), None)
        return [passed("read", f"gs://{name}/", "can list")]

    def _look_at_jobs(self) -> Look:
        project = f"gcloud projects add-iam-policy-binding {self._settings.project}"

        def ask() -> list[CheckLine]:
            wanted = {"parent": self._settings.parent, "page_size": 1}
            next(iter(self._jobs.list_custom_jobs(wanted, timeout=_TIMEOUT[1], retry=None)), None)
            return [passed("jobs", self._settings.parent, "Vertex AI answers")]

        return Look(
            "jobs",
            self._settings.parent,
            ask,
            "failed",
            "No job stage can run.",
            self._give(project, "aiplatform.user"),
        )

    def _image(self, request: CheckRequest) -> list[Look]:
        given = request.needs is not None and request.needs.image_given
        if given or self._settings.image is not None:
            return []
        why = "A job stage that names no image has none to run."
        verdict: Any = "failed" if request.needs else "warning"
        line = finding(
            "jobs",
            "CAUSEWAY_IMAGE",
            verdict,
            "is not set",
            why,
            "set CAUSEWAY_IMAGE, or `image` in the stages",
        )
        return [Look("jobs", "CAUSEWAY_IMAGE", lambda: [line])]

    def _look_at_tables(self) -> Look:
        subject = f"BigQuery of {self._settings.project}"
        project = f"gcloud projects add-iam-policy-binding {self._settings.project}"

        def ask() -> list[CheckLine]:
            found = list(self._tables.list_datasets(max_results=1, retry=NO_RETRY, timeout=_TIMEOUT[1]))
            return [passed("tables", subject, "answers" if found else "answers, and shows no dataset")]

        return Look(
            "tables", subject, ask, "failed", "No table stage can run.", self._give(project, "bigquery.user")
        )

    def _give(self, command: str, role: str) -> str:
        return f"{command} --member=serviceAccount:{account_of(self._identity)} --role=roles/{role}"


def is_long_lived(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the credentials are a key file: one of a workload identity federation holds no private key."""
    path = environment.get(_FILE, "")
    try:
        with open(path, encoding="utf-8") as file:
            return '"private_key"' in file.read()
    except OSError:
        return False
