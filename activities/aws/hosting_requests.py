"""What Causeway asks of SageMaker for scoring: a model, an endpoint of one variant, a batch transform.

SageMaker runs the image's own `serve` and unpacks the model's archive at `/opt/ml/model`; the image's `serve` has to run
`sh /opt/ml/model/serve.sh`: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html. An
uncompressed model would spare the archive, but a batch transform takes none (`ModelDataSource` in the service model).
"""

from typing import Any

from activities.aws.job_requests import WORK, Surroundings
from activities.model_package import server_script
from contracts.jobs import JobRequest

MODEL_ROOT = "/opt/ml/model"
VARIANT = "AllTraffic"
# SAGEMAKER_BIND_TO_PORT is set where it is another than 8080.
PORT = 'export PORT="${SAGEMAKER_BIND_TO_PORT:-8080}"'
LONGEST_START_SECONDS = 3600
SHORTEST_START_SECONDS = 60
"""`ContainerStartupHealthCheckTimeoutInSeconds` in the service model."""
MOST_PAYLOAD_MB = 6
"""`MaxPayloadInMB` of a transform, unless it is said."""


def serve_script(request: JobRequest) -> str:
    """Return the text of the package's `serve.sh`."""
    return server_script(request, root=MODEL_ROOT, work=WORK, before=(PORT,))


def model_request(request: JobRequest, around: Surroundings, package: str) -> dict[str, Any]:
    """Return the arguments of CreateModel."""
    return {
        "ModelName": request.name,
        "ExecutionRoleArn": around.role,
        "PrimaryContainer": {"Image": around.image, "ModelDataUrl": package, "Environment": request.env},
        "Tags": tags_of(request),
    }


def config_request(request: JobRequest, around: Surroundings) -> dict[str, Any]:
    """Return the arguments of CreateEndpointConfig."""
    key = {"KmsKeyId": around.kms_key} if around.kms_key else {}
    patience = int(request.timeout.total_seconds())
    return {
        "EndpointConfigName": request.name,
        "ProductionVariants": [
            {
                "VariantName": VARIANT,
                "ModelName": request.name,
                "InitialInstanceCount": 1,
                "InstanceType": around.machine.instance,
                "ContainerStartupHealthCheckTimeoutInSeconds": min(
                    max(patience, SHORTEST_START_SECONDS), LONGEST_START_SECONDS
                ),
            }
        ],
        "Tags": tags_of(request),
        **key,
    }


def endpoint_request(request: JobRequest) -> dict[str, Any]:
    """Return the arguments of CreateEndpoint."""
    return {
        "EndpointName": request.name,
        "EndpointConfigName": request.name,
        "Tags": tags_of(request),
    }


def transform_request(request: JobRequest, around: Surroundings, rows: str, target: str) -> dict[str, Any]:
    """Return the arguments of CreateTransformJob; SageMaker itself fills each request up to the payload's limit."""
    key = {"KmsKeyId": around.kms_key} if around.kms_key else {}
    volume = {"VolumeKmsKeyId": around.kms_key} if around.kms_key else {}
    parallel = request.batch.max_parallel if request.batch else 1
    return {
        "TransformJobName": request.name,
        "ModelName": request.name,
        "MaxConcurrentTransforms": parallel,
        "MaxPayloadInMB": max(1, min(MOST_PAYLOAD_MB, 100 // parallel)),
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": rows}},
            "ContentType": "application/jsonlines",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": target.rstrip("/"),
            "Accept": "application/jsonlines",
            "AssembleWith": "Line",
            **key,
        },
        "TransformResources": {"InstanceType": around.machine.instance, "InstanceCount": 1, **volume},
        "Tags": tags_of(request),
    }


def tags_of(request: JobRequest) -> list[dict[str, str]]:
    """Return the request's tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in request.tags.items()]
