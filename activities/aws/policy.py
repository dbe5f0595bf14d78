"""The smallest IAM policies for a pipeline: what the worker's identity may do, and the role that its jobs take.

Actions are those that each module of the room declares beside its calls; here they are sorted by the resources that IAM lets one
name for them: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html and
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from activities.aws import (
    connection,
    containers,
    copies,
    endpoints,
    job_logs,
    jobs,
    metrics,
    objects,
    signing,
    store,
    sweep,
    transform,
    uploads,
    writer,
)
from activities.aws.settings import AwsSettings
from contracts.artifacts import locate
from contracts.permissions import PermissionRequest
from contracts.storage import HIDDEN

Statement = dict[str, Any]
STORAGE = (objects, store, uploads, writer, copies, signing, containers)
SERVICES = {
    "jobs": (connection, jobs, job_logs, sweep),
    "batch_predict": (transform, job_logs, sweep),
    "endpoints": (endpoints, job_logs),
}
KINDS = {
    "jobs": ("training-job", "processing-job"),
    "batch_predict": ("transform-job", "model"),
    "endpoints": ("endpoint", "endpoint-config", "model"),
}
"""What SageMaker calls the things of a feature; all of ours have names that begin with `cw-`."""
OWN_PREFIXES = ("code/", "runs/", HIDDEN)
"""Where Causeway writes in the default container."""
READS = {"s3:GetObject", "s3:GetObjectTagging"}
BUCKETS = {
    *("s3:ListBucket", "s3:ListBucketMultipartUploads"),
    *("s3:GetEncryptionConfiguration", "s3:GetBucketPublicAccessBlock"),
}
"""Actions whose resource is the bucket."""
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#require-sse-kms, uploads in parts included."""


def policies(request: PermissionRequest, settings: AwsSettings) -> dict[str, Any]:
    """Return all of them by what they are attached to; without jobs there is no role of jobs."""
    told = {"worker": worker_policy(request, settings)}
    if request.features:
        told |= {"job_role": job_role_policy(request, settings), "job_role_trust": job_role_trust(settings)}
    return told


def worker_policy(request: PermissionRequest, settings: AwsSettings) -> dict[str, Any]:
    """Return the policy of the worker's identity, for exactly what a pipeline does on this connection."""
    storage = _actions(STORAGE)
    own, named = _own(settings), _objects(settings, request.writes)
    statements = [
        _allow("Objects", storage - BUCKETS, [*own, *named]),
        _allow("Sources", READS, _objects(settings, request.reads)),
        _allow("Buckets", storage & BUCKETS, _buckets(request, settings)),
        _allow(
            "CreateBucket",
            _values(containers.NEEDS_TO_CREATE),
            _buckets(request, settings) if request.create else [],
        ),
        *_services(request, settings),
        _allow("Key", KEY_ACTIONS, [settings.kms_key] if settings.kms_key else []),
        _metrics(settings),
    ]
    return _document(statements)


def job_role_policy(request: PermissionRequest, settings: AwsSettings) -> dict[str, Any]:
    """Return the policy of the role that jobs take: their own prefix, their log, their image.

    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
    """
    account, region = _account(settings), settings.region
    repositories = [_repository(settings, image) for image in (*request.images, settings.image or "")]
    logs = f"arn:{_partition(settings)}:logs:{region}:{account}:log-group:/aws/sagemaker/*"
    named = [found for found in repositories if found]
    statements = [
        _allow(
            "Read",
            ["s3:GetObject"],
            [*_own(settings), *_objects(settings, (*request.reads, *request.writes))],
        ),
        _allow(
            "Write",
            ["s3:PutObject", "s3:AbortMultipartUpload"],
            [f"{_s3(settings)}{settings.container}/runs/*"],
        ),
        _allow("List", ["s3:ListBucket"], _buckets(request, settings)),
        _allow(
            "Log",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            [logs],
        ),
        _allow(
            "Image",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            named,
        ),
        _allow("Registry", ["ecr:GetAuthorizationToken"], ["*"] if named else []),
        _allow("Key", KEY_ACTIONS, [settings.kms_key] if settings.kms_key else []),
    ]
    return _document(statements)


def job_role_trust(settings: AwsSettings) -> dict[str, Any]:
    """Return who may take the jobs' role: SageMaker, for this account only."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": _account(settings)}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _services(request: PermissionRequest, settings: AwsSettings) -> Sequence[Statement]:
    features = [feature for feature in SERVICES if feature in request.features]
    actions = set().union(*(_actions(SERVICES[feature]) for feature in features)) if features else set()
    sagemaker = {action for action in actions if action.startswith("sagemaker:")}
    listed = {
        action
        for action in sagemaker
        if action.startswith("sagemaker:List") and action != "sagemaker:ListTags"
    }
    prefix = f"arn:{_partition(settings)}:sagemaker:{settings.region}:{_account(settings)}"
    kinds = sorted({kind for feature in features for kind in KINDS[feature]})
    passing = _allow(
        "JobRole", ["iam:PassRole"], [settings.job_role] if settings.job_role and features else []
    )
    logs = (
        f"arn:{_partition(settings)}:logs:{settings.region}:{_account(settings)}:log-group:/aws/sagemaker/*"
    )
    return [
        _allow("Jobs", sagemaker - listed, [f"{prefix}:{kind}/cw-*" for kind in kinds]),
        # IAM names no resource for these.
        _allow("Lists", listed, ["*"]),
        passing | {"Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}},
        _allow("Logs", {action for action in actions if action.startswith("logs:")}, [logs, f"{logs}:*"]),
    ]


def _own(settings: AwsSettings) -> list[str]:
    return [f"{_s3(settings)}{settings.container}/{prefix}*" for prefix in OWN_PREFIXES]


def _objects(settings: AwsSettings, uris: Iterable[str]) -> list[str]:
    places = [locate(uri) for uri in uris]
    return [
        f"{_s3(settings)}{held.container}/{held.name}{'*' if held.name.endswith('/') else ''}"
        for held in places
    ]


def _buckets(request: PermissionRequest, settings: AwsSettings) -> list[str]:
    named = {locate(uri).container for uri in (*request.reads, *request.writes)}
    return [f"{_s3(settings)}{name}" for name in sorted({settings.container, *named})]


def _s3(settings: AwsSettings) -> str:
    return f"arn:{_partition(settings)}:s3:::"


def _partition(settings: AwsSettings) -> str:
    return settings.job_role.split(":")[1] if settings.job_role else "aws"


def _account(settings: AwsSettings) -> str:
    """The account, as the jobs' role tells it; without one nothing here names it."""
    return settings.job_role.split(":")[4] if settings.job_role else "*"


def _repository(settings: AwsSettings, image: str) -> str | None:
    """The ARN of an image's repository; None where it is not in ECR."""
    host, _, path = image.partition("/")
    parts = host.split(".")
    if len(parts) < 6 or parts[1:3] != ["dkr", "ecr"]:
        return None
    return f"arn:{_partition(settings)}:ecr:{parts[3]}:{parts[0]}:repository/{path.partition('@')[0].partition(':')[0]}"


def _metrics(settings: AwsSettings) -> Statement:
    """IAM names no resource for metrics; the namespace bounds them."""
    allowed = _allow("Metrics", _values(metrics.NEEDS), ["*"] if settings.metrics_namespace else [])
    return allowed | {"Condition": {"StringEquals": {"cloudwatch:namespace": settings.metrics_namespace}}}


def _actions(modules: Iterable[Any]) -> set[str]:
    return set().union(*(_values(module.NEEDS) for module in modules))


def _values(needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    return {action for actions in needs.values() for action in actions}


def _allow(sid: str, actions: Iterable[str], resources: Sequence[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}


def _document(statements: Iterable[Statement]) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [held for held in statements if held["Action"] and held["Resource"]],
    }
