"""The container of a model as a machine: the variables that Vertex AI sets, and where it finds Google's other services.

Sources: the vendor's page on requirements for custom containers, `model.proto`. A real container reaches the metadata
server and Cloud Storage at their usual addresses; here the variables of Google's own libraries say where they are.
"""

from __future__ import annotations

from typing import Any

from sandbox.layout import Endpoints


def command(container: dict[str, Any]) -> list[str]:
    """What the container runs; the sandbox has no images, so it has to say."""
    return [*container["command"], *container.get("args", [])]


def variables(model: dict[str, Any], endpoints: Endpoints) -> dict[str, str]:
    """What the container's environment says, but for its port."""
    container = model["containerSpec"]
    return {
        "AIP_MODE": "PREDICTION",
        "AIP_HEALTH_ROUTE": container["healthRoute"],
        "AIP_PREDICT_ROUTE": container["predictRoute"],
        "AIP_STORAGE_URI": model["artifactUri"].rstrip("/"),
        "GCE_METADATA_HOST": endpoints.vertex_url.removeprefix("http://"),
        "STORAGE_EMULATOR_HOST": endpoints.gcs_url,
        **{variable["name"]: variable.get("value", "") for variable in container.get("env", [])},
    }
