"""The states of Azure ML's endpoints and deployments in Causeway's words: one table each."""

from contracts.endpoints import EndpointPhase

SUCCEEDED = "Succeeded"
UNDER_WAY = frozenset({"Creating", "Updating"})
ENDPOINT_PHASES = {
    "Creating": EndpointPhase.CREATING,
    "Updating": EndpointPhase.CREATING,
    "Deleting": EndpointPhase.DELETING,
    "Failed": EndpointPhase.FAILED,
    "Canceled": EndpointPhase.FAILED,
}
"""https://learn.microsoft.com/rest/api/azureml/online-endpoints/get#endpointprovisioningstate; one that succeeded is as
its deployment is."""
DEPLOYMENT_PHASES = {
    "Creating": EndpointPhase.CREATING,
    "Updating": EndpointPhase.CREATING,
    # It serves meanwhile.
    "Scaling": EndpointPhase.READY,
    "Succeeded": EndpointPhase.READY,
    "Deleting": EndpointPhase.DELETING,
    "Failed": EndpointPhase.FAILED,
    "Canceled": EndpointPhase.FAILED,
}
"""https://learn.microsoft.com/rest/api/azureml/online-deployments/get#deploymentprovisioningstate"""


def phase_of(endpoint: str, deployment: str | None) -> EndpointPhase:
    """Return where an endpoint stands; a state that is new to Causeway is neither ready nor an end."""
    if endpoint != SUCCEEDED:
        return ENDPOINT_PHASES.get(endpoint, EndpointPhase.CREATING)
    if deployment is None:
        return EndpointPhase.INCOMPLETE
    return DEPLOYMENT_PHASES.get(deployment, EndpointPhase.CREATING)
