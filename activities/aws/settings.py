"""What an AWS connection's worker is told by its environment; credentials come from the SDK's own chain."""

from collections.abc import Mapping
from typing import Self

from pydantic import AliasChoices, Field, model_validator

from activities.settings import CloudSettings

_ENDPOINT = "AWS_ENDPOINT_URL"
_REGION = r"^[a-z]{2}(-[a-z0-9]+)+$"
_ROLE = r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$"
_INSTANCE = r"^ml\.[a-z0-9-]+\.[a-z0-9]+$"


class AwsSettings(CloudSettings):
    """One connection to AWS: an account's region, the default bucket and how jobs run there."""

    region: str = Field(validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"), pattern=_REGION)
    """Where the default bucket lies and jobs run."""
    job_role: str | None = Field(None, validation_alias="CAUSEWAY_AWS_JOB_ROLE", pattern=_ROLE)
    """ARN of the role that jobs take; without one this connection runs no jobs."""
    instance: str | None = Field(None, validation_alias="CAUSEWAY_AWS_INSTANCE", pattern=_INSTANCE)
    """Instance type of jobs that ask for none; without one the smallest that suffices is taken."""
    kms_key: str | None = Field(None, validation_alias="CAUSEWAY_AWS_KMS_KEY")
    """ARN of the KMS key that encrypts what is written; without one S3's own keys do."""
    metrics_namespace: str | None = Field(
        None, validation_alias="CAUSEWAY_AWS_METRICS_NAMESPACE", pattern=r"^[A-Za-z0-9._/#-]{1,255}$"
    )
    """CloudWatch namespace that this worker's metrics go to; without one they do not go there."""
    endpoints: dict[str, str] = Field(default_factory=dict)
    """Endpoints that are not Amazon's, by the SDK's variables: `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`."""

    @model_validator(mode="before")
    @classmethod
    def _gather_endpoints(cls, environment: Mapping[str, str]) -> dict[str, object]:
        found = {name: url for name, url in environment.items() if name.startswith(_ENDPOINT)}
        return {**environment, "endpoints": found}

    @model_validator(mode="after")
    def _check_endpoints(self) -> Self:
        for name, url in self.endpoints.items():
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{name} is not a URL that starts with http:// or https://")
        return self

    def endpoint(self, service: str) -> str | None:
        """Return the URL of a service such as `s3`; None where it is Amazon's own."""
        return self.endpoints.get(f"{_ENDPOINT}_{service.upper().replace('-', '_')}") or self.endpoints.get(
            _ENDPOINT
        )
