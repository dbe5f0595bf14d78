"""The kinds of stages that score, as a person writes them: a batch of rows in a job, or rows by an online endpoint."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.endpoints import RowFormat
from contracts.stage_base import STAGE_NAME, CommandStage, StageBase

ROWS = "data"
"""The input that holds the rows to score."""
BATCH_LIMIT = 10_000
PARALLEL_LIMIT = 64
DeployName = Annotated[str, Field(pattern=STAGE_NAME, description="the name of a stage of the kind deploy")]


class BatchPredictStage(CommandStage):
    """Scores rows in one batch by the server that the command is; output `predictions`.

    On AWS and Google Cloud the vendor's batch service starts the server; on Azure and on-prem a job does, and posts it the rows.
    `data` among its inputs holds the rows; every other input is the server's.
    """

    kind: Literal["batch_predict"]
    format: RowFormat = "csv"
    """How the rows lie in their files: `csv` with a header, whose cells become texts, or `jsonl`."""
    batch_size: int = Field(default=64, ge=1, le=BATCH_LIMIT)
    """Rows in one request to the server; AWS fills each up to the size it takes and does not look at this."""
    max_parallel: int = Field(default=1, ge=1, le=PARALLEL_LIMIT)
    """Requests that the server gets at once."""
    cache: bool = False
    """Whether any run takes over what another one left that had the same code, inputs and params."""


class DeployStage(CommandStage):
    """Has an online endpoint answer: a machine that runs the server that the command is."""

    kind: Literal["deploy"]
    temporary: bool = True
    """Whether the endpoint goes when the run ends, however it ends; one that stays costs until somebody removes it."""


class InvokeStage(StageBase):
    """Sends rows to an endpoint and keeps its answers, its output `predictions`."""

    kind: Literal["invoke"]
    endpoint: DeployName
    """The stage that deployed it, on the same connection."""
    inputs: dict[str, str] = Field(min_length=1, max_length=1)
    """The rows, named `data`."""
    format: RowFormat = "csv"
    """How the rows lie in their files: `csv` with a header, whose cells become texts, or `jsonl`."""
    batch_size: int = Field(default=64, ge=1, le=BATCH_LIMIT)
    """Rows in one request."""
    max_parallel: int = Field(default=4, ge=1, le=PARALLEL_LIMIT)
    """Requests in flight."""


class RetireStage(StageBase):
    """Removes an endpoint before the run ends, once every `invoke` of it has."""

    kind: Literal["retire"]
    endpoint: DeployName
    """The stage that deployed it, on the same connection."""
