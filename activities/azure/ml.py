"""What the room uses of `azure.ai.ml`, imported without its noise.

The import takes seconds: only `room` causes it, and inside functions.
"""

import logging
import warnings

with warnings.catch_warnings():
    # Its own dependencies are used in deprecated ways; a worker's log is no place to learn that.
    warnings.simplefilter("ignore")
    from azure.ai.ml import Input, MLClient, Output, command
    from azure.ai.ml.constants import AssetTypes, InputOutputModes
    from azure.ai.ml.entities import Command, Environment, Job, QueueSettings

# It says at each start that classes are experimental; the errors it raises say all the rest.
logging.getLogger("azure.ai.ml").setLevel(logging.ERROR)

__all__ = [
    "AssetTypes",
    "Command",
    "Environment",
    "Input",
    "InputOutputModes",
    "Job",
    "MLClient",
    "Output",
    "QueueSettings",
    "command",
]
