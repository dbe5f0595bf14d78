"""What the worker of an Azure connection is told by its environment.

Credentials come from Azure's own variables (`AZURE_TENANT_ID`, ...), as does another cloud than the public one
(`AZURE_AUTHORITY_HOST`, `ARM_CLOUD_METADATA_URL`): the SDKs read them by themselves.
"""

from pydantic import Field

from activities.settings import CloudSettings

_CONTAINER = r"^[a-z0-9](?:-?[a-z0-9])+$"


class AzureSettings(CloudSettings):
    """One storage account and one Azure Machine Learning workspace."""

    container: str = Field(
        validation_alias="CAUSEWAY_CONTAINER", min_length=3, max_length=63, pattern=_CONTAINER
    )
    """Bare name of the default container: 3 to 63 lower-case letters, digits and single hyphens."""
    storage_url: str = Field(
        validation_alias="CAUSEWAY_AZURE_STORAGE_URL", pattern=r"^https://[^/?#@\s]+(/[^/?#\s]+)?/?$"
    )
    """The account's Blob endpoint, such as `https://account.blob.core.windows.net`."""
    subscription: str = Field(validation_alias="CAUSEWAY_AZURE_SUBSCRIPTION", min_length=1)
    resource_group: str = Field(validation_alias="CAUSEWAY_AZURE_RESOURCE_GROUP", min_length=1)
    workspace: str = Field(validation_alias="CAUSEWAY_AZURE_WORKSPACE", min_length=1)
    region: str = Field("", validation_alias="CAUSEWAY_AZURE_REGION", pattern=r"^[a-z0-9]*$")
    """Where the account and the workspace lie, such as `westeurope`; a policy's residency is judged by it."""
    compute: str | None = Field(None, validation_alias="CAUSEWAY_AZURE_COMPUTE")
    """Cluster that jobs run on; none means serverless compute."""
    datastore: str = Field(
        "workspaceblobstore", validation_alias="CAUSEWAY_AZURE_DATASTORE", pattern=r"^[A-Za-z0-9_]+$"
    )
    """The workspace's datastore whose container is the default container."""
    monitor: str | None = Field(None, validation_alias="CAUSEWAY_AZURE_MONITOR", pattern=r"=")
    """Connection string of the Application Insights resource that this worker's metrics go to."""
    disable_instance_discovery: bool = Field(
        False, validation_alias="CAUSEWAY_AZURE_DISABLE_INSTANCE_DISCOVERY"
    )
    """For private clouds, whose authority Microsoft's public directory does not know."""
