"""Everything the AWS room offers a worker. Clients are built here and nowhere else."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import boto3
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection
from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import get_session

from activities.asked import answered
from activities.aws.check import AwsCheck
from activities.aws.connection import AwsConnection
from activities.aws.endpoints import SageMakerEndpoints
from activities.aws.errors import translate
from activities.aws.jobs import JobDefaults, SageMakerJobs
from activities.aws.machines import SageMakerMachines
from activities.aws.settings import AwsSettings
from activities.aws.store import S3Store
from activities.aws.sweep import MultipartUploads, SageMakerLive
from activities.aws.transform import TransformJobs
from activities.caching import StoreCacheActivities
from activities.closing import ServiceClosingActivities
from activities.code import StoreCodeActivities
from activities.endpoints import ServiceEndpointActivities
from activities.facts import Containers
from activities.fanout import StoreGatherActivities
from activities.grant_client import GrantClient
from activities.job_router import JobRouter
from activities.jobs import ServiceJobActivities
from activities.registration import bound_activities
from activities.run_lines import KEPT
from activities.shipping import StoreLogShipping
from activities.storage import StoreActivities
from activities.sweeping import RoomSweepActivities, containers_of
from activities.sweeping_endpoints import EndpointSweeper
from activities.sweeping_jobs import JobSweeper
from activities.whole_answers import WholeAnswer

# Botocore lets nobody choose the pools that it opens connections from; this is the class that they read answers with.
for connection in (AWSHTTPConnection, AWSHTTPSConnection):
    connection.response_class = WholeAnswer  # type: ignore[assignment] # the stubs name botocore's own

_POOL = 64
"""Connections a client keeps: no fewer than a worker's activity threads and their parts in flight."""


def client(settings: AwsSettings, service: str) -> Any:
    """Build the SDK's client for a service: safe across threads; it tries once, since Temporal retries."""
    endpoint = settings.endpoint(service)
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"total_max_attempts": 1},
        max_pool_connections=_POOL,
        signature_version="s3v4" if service == "s3" else None,
        # We compute and demand our own checksums; the SDK's would be a second pass over the same bytes.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if endpoint else "virtual", "us_east_1_regional_endpoint": "regional"},
    )
    core = get_session()
    core.register_component("data_loader", _models())
    session: Any = boto3.Session(region_name=settings.region, botocore_session=core)
    built = session.client(service, endpoint_url=endpoint, config=config)
    built.meta.events.register("after-call", _noted)
    if service == "s3":
        built.meta.events.register_first("request-created.s3.PutObject", _unasked)
    return built


class _Models(Loader):
    """What botocore knows of services."""

    @property
    def search_paths(self) -> list[str]:
        """A copy, to which every session of boto3 adds a folder in which a client looks for nothing."""
        return list(super().search_paths)


@cache
def _models() -> _Models:
    """Read it once for all sessions, which would take a tenth of a second for each client."""
    return _Models()


def _unasked(request: Any, **_: Any) -> None:
    """Send small objects without asking first whether S3 would take them: that costs a round trip for each."""
    del request.headers["Expect"]


def _noted(parsed: dict[str, Any], **_: Any) -> None:
    """Note the request by Amazon's id, whether it was granted or refused."""
    answered(parsed.get("ResponseMetadata", {}).get("RequestId"))


def store(settings: AwsSettings) -> S3Store:
    """Build the connection's store."""
    return S3Store(client(settings, "s3"), settings.container, settings.kms_key)


def containers(settings: AwsSettings) -> Containers:
    """Build what says how the connection's containers are guarded."""
    return Containers(store(settings), translate)


def jobs(settings: AwsSettings) -> JobRouter:
    """Build the connection's job service."""
    bucket, sagemaker, logs = store(settings), client(settings, "sagemaker"), client(settings, "logs")
    usual = SageMakerJobs(sagemaker, logs, bucket, machines(settings), _defaults(settings))
    return JobRouter(usual, {"batch_predict": TransformJobs(sagemaker, logs, bucket, usual.surroundings)})


def endpoints(settings: AwsSettings) -> SageMakerEndpoints:
    """Build the connection's service of endpoints."""
    bucket, sagemaker, logs = store(settings), client(settings, "sagemaker"), client(settings, "logs")
    usual = SageMakerJobs(sagemaker, logs, bucket, machines(settings), _defaults(settings))
    runtime = client(settings, "sagemaker-runtime")
    return SageMakerEndpoints(sagemaker, runtime, logs, bucket, usual.surroundings)


def machines(settings: AwsSettings) -> SageMakerMachines:
    """Build what chooses the connection's machines."""
    return SageMakerMachines(settings.machines, settings.instance)


def activities(settings: AwsSettings) -> list[Callable[..., Any]]:
    """Return every activity this connection's worker registers."""
    bucket, service, served = store(settings), jobs(settings), endpoints(settings)
    allowed = settings.allow_list(bucket.default_container)
    grants = GrantClient(settings.host_rules())
    sts, sagemaker = client(settings, "sts"), client(settings, "sagemaker")
    return bound_activities(
        StoreActivities(bucket, translate, allowed, grants),
        StoreCodeActivities(bucket, translate),
        StoreGatherActivities(bucket, translate),
        StoreCacheActivities(bucket, translate),
        ServiceJobActivities(service, bucket, translate),
        StoreLogShipping(service, bucket, translate, KEPT),
        ServiceClosingActivities(service, translate),
        RoomSweepActivities(
            (
                JobSweeper(service, SageMakerLive(sagemaker), translate),
                EndpointSweeper(served, translate),
                MultipartUploads(
                    client(settings, "s3"), containers_of(bucket.default_container, allowed.prefixes)
                ),
            ),
            translate,
        ),
        ServiceEndpointActivities(served, bucket, translate),
        AwsCheck(settings, bucket, partial(client, settings)),
        AwsConnection(
            bucket, sts, sagemaker, machines(settings), _defaults(settings), private=settings.private_store
        ),
    )


def _defaults(settings: AwsSettings) -> JobDefaults:
    return JobDefaults(settings.job_role, settings.image, settings.kms_key)
