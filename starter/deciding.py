"""Who decides at this machine, and the updates that carry what was decided on a stage that failed."""

import getpass

from workflows.pipeline import PipelineWorkflow

UPDATES = {
    "retry": PipelineWorkflow.retry_stage,
    "skip": PipelineWorkflow.skip_stage,
    "abort": PipelineWorkflow.abort,
}


def user() -> str:
    """Who decides, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
