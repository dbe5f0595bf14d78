"""What the Google Cloud worker is told by its environment; credentials come from Google's own chain."""

from pydantic import Field

from activities.settings import CloudSettings

_URL = r"^https?://[^/?#\s]+$"


class GcpSettings(CloudSettings):
    """Settings of one connection to Google Cloud; endpoints are for local clouds and private access."""

    project: str = Field(validation_alias="GOOGLE_CLOUD_PROJECT", pattern=r"^[a-z][a-z0-9.:-]{2,61}[a-z0-9]$")
    location: str = Field(validation_alias="CAUSEWAY_GCP_LOCATION", pattern=r"^[a-z]+-[a-z]+[0-9]+$")
    """Region of jobs and of new buckets, such as us-central1."""
    bigquery_location: str = Field("US", validation_alias="CAUSEWAY_GCP_BIGQUERY_LOCATION")
    """Where BigQuery's data lie: a region or a multi-region such as US or EU."""
    machine_type: str | None = Field(
        None, validation_alias="CAUSEWAY_GCP_MACHINE_TYPE", pattern=r"^[a-z][a-z0-9-]+$"
    )
    """Machine type of jobs that name none; otherwise one is chosen by their cpu and memory."""
    job_account: str | None = Field(None, validation_alias="CAUSEWAY_GCP_JOB_ACCOUNT")
    """Service account that jobs run as; without it Vertex AI's own."""
    storage_endpoint: str = Field(
        "https://storage.googleapis.com", validation_alias="CAUSEWAY_GCP_STORAGE_ENDPOINT", pattern=_URL
    )
    bigquery_endpoint: str = Field(
        "https://bigquery.googleapis.com", validation_alias="CAUSEWAY_GCP_BIGQUERY_ENDPOINT", pattern=_URL
    )
    vertex_endpoint: str | None = Field(None, validation_alias="CAUSEWAY_GCP_VERTEX_ENDPOINT", pattern=_URL)
    """Without it the region's own."""
    monitoring: bool = Field(False, validation_alias="CAUSEWAY_GCP_MONITORING")
    """Whether this worker's metrics go to Cloud Monitoring."""
    monitoring_endpoint: str = Field(
        "https://monitoring.googleapis.com", validation_alias="CAUSEWAY_GCP_MONITORING_ENDPOINT", pattern=_URL
    )
    logging_endpoint: str = Field(
        "https://logging.googleapis.com", validation_alias="CAUSEWAY_GCP_LOGGING_ENDPOINT", pattern=_URL
    )

    resource_manager_endpoint: str = Field(
        "https://cloudresourcemanager.googleapis.com",
        validation_alias="CAUSEWAY_GCP_RESOURCE_MANAGER_ENDPOINT",
        pattern=_URL,
    )
    service_usage_endpoint: str = Field(
        "https://serviceusage.googleapis.com",
        validation_alias="CAUSEWAY_GCP_SERVICE_USAGE_ENDPOINT",
        pattern=_URL,
    )

    @property
    def parent(self) -> str:
        """The resource below which Vertex AI keeps this connection's jobs."""
        return f"projects/{self.project}/locations/{self.location}"
