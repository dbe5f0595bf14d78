"""What Causeway asks of SageMaker: a training job for `train`, a processing job for `process` and `predict`.

S3Prefix matches siblings too, so every prefix ends in a slash; an input that is a file comes with its prefix.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from activities.aws.machines import volume_gib
from activities.choosing import checkpoint_uri
from activities.job_script import render_script
from contracts.artifacts import Artifact
from contracts.jobs import JobRequest
from contracts.machines import Machine

JOB_CHANNEL = "causeway-job"
CODE_CHANNEL = "causeway-code"
SCRIPT = "run.sh"
WORK = "/opt/ml/causeway"
CHECKPOINTS = "/opt/ml/checkpoints"
"""What lies here is copied to S3 while the job runs, and is there again when a spot instance was taken back:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html"""
TRAINING_INPUTS = "/opt/ml/input/data"
TRAINING_OUTPUTS = "/opt/ml/model"
"""What lies here goes to the output prefix when the job succeeds: https://docs.aws.amazon.com/sagemaker/latest/dg/
your-algorithms-training-algo-output.html"""
PROCESSING_INPUTS = "/opt/ml/processing/input"
PROCESSING_OUTPUTS = "/opt/ml/processing/output"
LONGEST_TRAINING_SECONDS = 28 * 86_400
LONGEST_PROCESSING_SECONDS = 777_600
"""`ProcessingMaxRuntimeInSeconds` in SageMaker's service model; of training: the default quota."""


@dataclass(frozen=True)
class Surroundings:
    """What the connection adds to a request."""

    role: str
    image: str
    machine: Machine
    kms_key: str | None
    container: str
    """URI ending in `/`."""

    def folder(self, request: JobRequest) -> str:
        """Return the URI below which this job's own things lie."""
        return f"{self.container}{request.kept_below}g{request.generation}/"

    def outputs(self, request: JobRequest) -> str:
        """Return the URI below which a training job's outputs come to lie."""
        return f"{self.container}{request.left_below}g{request.generation}/out"


def trains(kind: str) -> bool:
    """Whether a stage of this kind becomes a training job."""
    return kind == "train"


def script_for(request: JobRequest) -> str:
    """Return the text of the job's `run.sh`, with the paths its machine will have."""
    inputs, outputs = _roots(request)
    return render_script(
        request,
        code=f"{inputs}/{CODE_CHANNEL}" if request.code else None,
        inputs={name: _path(f"{inputs}/{name}", artifact) for name, artifact in request.inputs.items()},
        outputs={name: f"{outputs}/{name}" for name in request.outputs},
        work=WORK,
        checkpoint=CHECKPOINTS if request.resources.spot else None,
    )


def training_request(request: JobRequest, around: Surroundings, job_prefix: str) -> dict[str, Any]:
    """Return the arguments of CreateTrainingJob."""
    key = {"KmsKeyId": around.kms_key} if around.kms_key else {}
    return {
        "TrainingJobName": request.name,
        "RoleArn": around.role,
        "AlgorithmSpecification": {
            "TrainingImage": around.image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": _entrypoint(request),
        },
        "InputDataConfig": [
            {
                "ChannelName": name,
                "DataSource": {"S3DataSource": {"S3Uri": uri, **_WHOLE_PREFIX}},
                "InputMode": "File",
            }
            for name, uri in _sources(request, job_prefix).items()
        ],
        # As an archive the outputs could not be read one by one, nor their digests compared.
        "OutputDataConfig": {
            "S3OutputPath": around.outputs(request),
            "CompressionType": "NONE",
            **key,
        },
        "ResourceConfig": {"InstanceCount": 1, **_machine(request, around)},
        "StoppingCondition": {"MaxRuntimeInSeconds": _seconds(request, LONGEST_TRAINING_SECONDS)},
        "Environment": request.env,
        "Tags": _tags(request),
        **_spot(request, around),
    }


def processing_request(request: JobRequest, around: Surroundings, job_prefix: str) -> dict[str, Any]:
    """Return the arguments of CreateProcessingJob."""
    key = {"KmsKeyId": around.kms_key} if around.kms_key else {}
    return {
        "ProcessingJobName": request.name,
        "RoleArn": around.role,
        "AppSpecification": {"ImageUri": around.image, "ContainerEntrypoint": _entrypoint(request)},
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{PROCESSING_INPUTS}/{name}",
                    "S3InputMode": "File",
                    **_WHOLE_PREFIX,
                },
            }
            for name, uri in _sources(request, job_prefix).items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [_output(*wanted) for wanted in request.outputs.items()],
            **key,
        },
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, **_machine(request, around)}},
        "StoppingCondition": {"MaxRuntimeInSeconds": _seconds(request, LONGEST_PROCESSING_SECONDS)},
        "Environment": request.env,
        "Tags": _tags(request),
    }


_WHOLE_PREFIX = {"S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated"}


def _roots(request: JobRequest) -> tuple[str, str]:
    if trains(request.kind):
        return TRAINING_INPUTS, TRAINING_OUTPUTS
    return PROCESSING_INPUTS, PROCESSING_OUTPUTS


def _entrypoint(request: JobRequest) -> list[str]:
    # An image's own entry point, a file's mode and its first line are not relied on: S3 keeps no modes.
    return ["/bin/sh", f"{_roots(request)[0]}/{JOB_CHANNEL}/{SCRIPT}"]


def _sources(request: JobRequest, job_prefix: str) -> Mapping[str, str]:
    code = {CODE_CHANNEL: request.code.uri} if request.code else {}
    inputs = {name: _prefix(artifact) for name, artifact in request.inputs.items()}
    return {JOB_CHANNEL: job_prefix, **code, **inputs}


def _prefix(artifact: Artifact) -> str:
    return artifact.uri if artifact.kind == "folder" else artifact.uri.rpartition("/")[0] + "/"


def _path(channel: str, artifact: Artifact) -> str:
    return channel if artifact.kind == "folder" else f"{channel}/{artifact.uri.rpartition('/')[2]}"


def _output(name: str, uri: str) -> dict[str, Any]:
    place = {
        "S3Uri": uri.rstrip("/"),
        "LocalPath": f"{PROCESSING_OUTPUTS}/{name}",
        "S3UploadMode": "EndOfJob",
    }
    return {"OutputName": name, "S3Output": place}


def _machine(request: JobRequest, around: Surroundings) -> dict[str, Any]:
    size = volume_gib(request.inputs.values(), request.resources.disk)
    return {"InstanceType": around.machine.instance, "VolumeSizeInGB": size}


def _spot(request: JobRequest, around: Surroundings) -> dict[str, Any]:
    """Return what makes a training job one on spot instances; it replaces the condition that ends other jobs."""
    checkpoint = checkpoint_uri(around.container, request)
    if checkpoint is None:
        return {}
    limit = _seconds(request, LONGEST_TRAINING_SECONDS)
    return {
        "EnableManagedSpotTraining": True,
        # The stage's timeout counts queue and run together, and SageMaker wants the wait to be no shorter than the run.
        "StoppingCondition": {"MaxRuntimeInSeconds": limit, "MaxWaitTimeInSeconds": limit},
        "CheckpointConfig": {"S3Uri": checkpoint.rstrip("/"), "LocalPath": CHECKPOINTS},
    }


def _seconds(request: JobRequest, longest: int) -> int:
    return max(1, min(int(request.timeout.total_seconds()), longest))


def _tags(request: JobRequest) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in request.tags.items()]
