"""What an AWS connection answers when it is checked: everything that can be seen with the worker's own identity."""

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio import activity

from activities.aws.check_bucket import BucketLooks
from activities.aws.check_quotas import QuotaLooks
from activities.aws.errors import translate
from activities.aws.machines import SageMakerMachines
from activities.aws.settings import AwsSettings
from activities.looking import Look, finding, look_at_all, passed, probe_look, reach_look
from activities.store import Store
from contracts.artifacts import locate
from contracts.checks import CheckActivities, CheckLine, CheckReport, CheckRequest
from contracts.connections import Capability

Clients = Callable[[str], Any]
"""Builds the SDK's client of a service."""
_KEYS = "AWS_ACCESS_KEY_ID"
SERVICES = {"storage": ("s3", "sts"), "jobs": ("sagemaker", "logs")}


class AwsCheck(CheckActivities):
    """One region of one account, looked at with the identity that does the work."""

    def __init__(
        self,
        settings: AwsSettings,
        store: Store,
        clients: Clients,
        environment: Mapping[str, str] = os.environ,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Check what these reach; `environment` is where boto3 finds its credentials."""
        self._settings = settings
        self._store = store
        self._build = clients
        self._built: dict[str, Any] = {}
        self._environment = environment
        self._now = now

    @activity.defn(name="connections.check", no_thread_cancel_exception=True)
    def check(self, request: CheckRequest) -> CheckReport:
        """See the contract."""
        needs: tuple[Capability, ...] = ("storage", "jobs") if request.needs is None else request.needs.needs
        named = request.needs.containers if request.needs else ()
        identity: list[str] = []
        lines = look_at_all([self._who(identity), *self._reach(needs)], translate)
        lines.append(self._credential(identity[0] if identity else ""))
        looks = [
            look
            for uri in dict.fromkeys((self._store.default_container, *named))
            for look in self._container(uri)
        ]
        looks += [self._trail(), *self._excess()]
        if "jobs" in needs:
            looks += self._jobs(request)
        # Each of the others would only say once more that nobody is known here.
        lines += look_at_all(looks, translate) if identity else []
        if "tables" in needs:
            why = "The stages that ask for tables cannot run here; give them a connection of Google Cloud."
            lines.append(finding("tables", request.connection, "failed", "AWS connections have none", why))
        return CheckReport(connection=request.connection, identity="".join(identity), lines=tuple(lines))

    def _clients(self, service: str) -> Any:
        """Build the client of a service once; two looks that ask at one moment may both build it."""
        if service not in self._built:
            self._built[service] = self._build(service)
        return self._built[service]

    def _who(self, identity: list[str]) -> Look:
        def ask() -> list[CheckLine]:
            identity.append(str(self._clients("sts").get_caller_identity()["Arn"]))
            return [passed("identity", "sts", identity[0])]

        return Look(
            "identity",
            "sts",
            ask,
            "failed",
            "Without an identity nothing else can be done.",
            "aws sts get-caller-identity",
        )

    def _reach(self, needs: Sequence[Capability]) -> list[Look]:
        services = [
            service for capability in SERVICES if capability in needs for service in SERVICES[capability]
        ]
        urls = {service: self._clients(service).meta.endpoint_url for service in services}
        return [reach_look(service, url, self._now) for service, url in urls.items()]

    def _credential(self, arn: str) -> CheckLine:
        root = arn.endswith(":root")
        if not root and not self._environment.get(_KEYS):
            return passed("keys", "credential", "no key in the environment")
        why = "It works for whoever finds it, until it is renewed by hand; a role has nothing to leak."
        found = "the account's root, which may do everything" if root else f"a long-lived key in {_KEYS}"
        if not root and self._environment.get("AWS_SESSION_TOKEN"):
            return passed("keys", "credential", "keys of a session, which end by themselves")
        fix = (
            "aws iam create-role --role-name causeway-worker --assume-role-policy-document file://trust.json"
            f"  # docs/connections.md has the trust policies; then take {_KEYS} away"
        )
        return finding("keys", "credential", "failed" if root else "warning", found, why, fix)

    def _container(self, uri: str) -> list[Look]:
        bucket = locate(uri).container
        looks = BucketLooks(self._clients("s3"), bucket, self._settings.region, self._settings.kms_key)
        fix = _LEAST
        missing = f"aws s3 mb s3://{bucket} --region {self._settings.region}"
        return [
            Look(
                "read",
                uri,
                looks.readable,
                "failed",
                "No stage that uses this bucket can run.",
                f"{fix}; where there is no such bucket: {missing}",
            ),
            probe_look(self._store, f"s3://{bucket}/", uuid.uuid4().hex, fix),
            *looks.all(),
        ]

    def _trail(self) -> Look:
        fix = (
            f"aws cloudtrail create-trail --name causeway --s3-bucket-name {self._settings.container}-trail "
            "--is-multi-region-trail && aws cloudtrail start-logging --name causeway"
        )
        why = "Nobody could tell later who did what in this account."
        granting = "grant cloudtrail:DescribeTrails and cloudtrail:GetTrailStatus to look"
        subject = f"CloudTrail in {self._settings.region}"
        return Look("audit", subject, lambda: self._trails(fix, why), fix=granting)

    def _trails(self, fix: str, why: str) -> list[CheckLine]:
        client = self._clients("cloudtrail")
        subject = f"CloudTrail in {self._settings.region}"
        trails = client.describe_trails(includeShadowTrails=True)["trailList"]
        logging = [
            trail["Name"] for trail in trails if client.get_trail_status(Name=trail["TrailARN"])["IsLogging"]
        ]
        if logging:
            return [passed("audit", subject, f"{', '.join(logging)} logging")]
        if trails:
            names = ", ".join(trail["Name"] for trail in trails)
            start = (
                f"aws cloudtrail start-logging --name {trails[0]['Name']} --region {self._settings.region}"
            )
            return [finding("audit", subject, "failed", f"{names} is not logging", why, start)]
        return [finding("audit", subject, "warning", "no trail", why, fix)]

    def _excess(self) -> list[Look]:
        """Questions that change nothing and that a worker has no business asking."""
        iam, s3 = self._clients("iam"), self._clients("s3")
        return [
            self._never("iam:ListUsers", lambda: iam.list_users(MaxItems=1)),
            self._never("s3:ListAllMyBuckets", s3.list_buckets),
        ]

    def _never(self, action: str, ask: Callable[[], Any]) -> Look:
        why = "A worker that may do more than it needs is worth more to whoever takes it over."

        def tried() -> list[CheckLine]:
            try:
                ask()
            except Exception as error:
                if translate(error, action).type in {"ACCESS_DENIED", "UNSUPPORTED"}:
                    return [passed("excess", action, "is refused, as it should be")]
                raise
            return [finding("excess", action, "warning", "is allowed", why, _LEAST)]

        return Look("excess", action, tried)

    def _jobs(self, request: CheckRequest) -> list[Look]:
        settings = self._settings
        looks = [
            Look("jobs", "SageMaker", self._listed, "failed", "No job stage can run.", _LEAST),
            Look(
                "jobs",
                settings.job_role or "CAUSEWAY_AWS_JOB_ROLE",
                self._role,
                fix="grant iam:GetRole on it, so that its trust can be seen",
            ),
        ]
        machines = SageMakerMachines(settings.machines, settings.instance)
        looks.append(QuotaLooks(self._clients("service-quotas"), settings.region, machines).look())
        given = request.needs.image_given if request.needs else settings.image is not None
        if not given and settings.image is None:
            why = "A job stage that names no image has none to run."
            line = finding(
                "jobs",
                "CAUSEWAY_IMAGE",
                "failed" if request.needs else "warning",
                "is not set",
                why,
                "set CAUSEWAY_IMAGE, or `image` in the stages",
            )
            looks.append(Look("jobs", "CAUSEWAY_IMAGE", lambda: [line]))
        return looks

    def _listed(self) -> list[CheckLine]:
        client = self._clients("sagemaker")
        client.list_training_jobs(MaxResults=1)
        client.list_processing_jobs(MaxResults=1)
        return [passed("jobs", "SageMaker", f"answers in {self._settings.region}")]

    def _role(self) -> list[CheckLine]:
        role = self._settings.job_role
        if role is None:
            why = "Without a role for them this connection runs no jobs."
            return [
                finding(
                    "jobs",
                    "CAUSEWAY_AWS_JOB_ROLE",
                    "warning",
                    "is not set",
                    why,
                    "set it to the ARN of a role that SageMaker may take",
                )
            ]
        held = self._clients("iam").get_role(RoleName=role.rpartition("/")[2])["Role"]
        trusted = "sagemaker.amazonaws.com" in str(held["AssumeRolePolicyDocument"])
        if trusted:
            return [passed("jobs", role, "SageMaker may take it")]
        why = "SageMaker refuses every job that names it."
        name = role.rpartition("/")[2]
        fix = f"aws iam update-assume-role-policy --role-name {name} --policy-document file://trust.json  # {_PRINTED}"
        return [finding("jobs", role, "failed", "SageMaker may not take it", why, fix)]


_PRINTED = "python -m starter permissions PIPELINE --cloud aws prints it"
_LEAST = (
    "aws iam put-role-policy --role-name causeway-worker --policy-name causeway --policy-document file://worker.json"
    f"  # {_PRINTED}"
)
