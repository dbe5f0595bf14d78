"""The kinds of stage a pipeline is made of. Every field is documented here; `starter schema` prints it for editors."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, field_validator

from contracts.approvals import ApproveStage
from contracts.artifacts import locate
from contracts.endpoints import PREDICTIONS
from contracts.expressions import parse_best
from contracts.foreach import Foreach
from contracts.grants import IfExists
from contracts.inference import BatchPredictStage, DeployStage, InvokeStage, RetireStage
from contracts.placeholders import parse_template
from contracts.queues import normalise
from contracts.stage_base import STAGE_NAME, CommandStage, Connection, StageBase, StageRules
from contracts.tables import Column, TableFormat, WriteMode
from contracts.units import Duration, Rate, Size

Glob = Annotated[str, Field(min_length=1, max_length=1024)]


class CopyStage(StageBase):
    """Brings data into a connection's store: an ingest, or a movement its author wants to see."""

    kind: Literal["copy"]
    source: str | None = None
    """A URI: one object, or a folder when it ends in `/`."""
    source_on: Connection | None = None
    """The connection that owns the source, when it is not the default one of its cloud."""
    inputs: dict[str, str] = Field(default_factory=dict, max_length=1)
    """Instead of `source`: an output of another stage."""
    target: str | None = None
    """A URI of the author's own in the stage's cloud; by default a prefix of the run's."""
    if_exists: IfExists = "skip"
    """When the target holds an object: `skip` keeps the same content and refuses other; `overwrite`; `fail`."""
    include: tuple[Glob, ...] = ()
    """Of a folder only what one of these matches: `*.csv` in any folder, `/logs/**` from the source on."""
    exclude: tuple[Glob, ...] = ()
    """Of a folder not what one of these matches."""
    server_side: bool = True
    """Whether Azure may read from S3 or Cloud Storage by itself, where an MD5 proves it; no byte passes a worker then."""
    streams: int = Field(default=8, ge=1, le=64)
    """Parts or small objects in flight at once."""
    limit_rate: Rate | None = None
    """Bytes per second at most, such as `50MB/s`."""
    max_size: Size | None = None
    """The copy stops before it sends more than this."""
    max_cost: Decimal | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The copy stops before its egress costs more than this, in the currency of the price book."""
    max_duration: Duration | None = None
    """The copy stops when it has taken this long, without pauses."""

    @field_validator("source", "target")
    @classmethod
    def _uri(cls, value: str | None) -> str | None:
        if value is not None and not locate(value).name:
            raise ValueError(f"{value!r} names no object; write an object, or a folder that ends in /")
        return value

    @field_validator("source_on")
    @classmethod
    def _source_connection(cls, value: str | None) -> str | None:
        return value if value is None else normalise(value)


class JobStage(CommandStage):
    """Runs a command on a cloud's job service."""

    kind: Literal["process", "train", "predict"]
    outputs: tuple[Annotated[str, Field(pattern=STAGE_NAME)], ...] = ()
    """Names of folders that the command fills; `metrics` holds metrics.json, flat numbers."""
    cache: bool = False
    """Whether any run takes over what another one left that had the same code, inputs and params."""
    foreach: Foreach | None = None
    """Runs the command once for each of many items: a list, a range, a query's rows or an input's objects."""


class LoadTableStage(StageBase):
    """Loads files into a table; the table is never half loaded."""

    kind: Literal["load_table"]
    inputs: dict[str, str] = Field(min_length=1, max_length=1)
    """The one output of another stage that is loaded."""
    table: str = Field(pattern=r"^([A-Za-z0-9-]+\.)?[A-Za-z0-9_]+\.[A-Za-z0-9_-]+$")
    """`dataset.table` or `project.dataset.table`."""
    format: TableFormat = "csv"
    """How the rows lie in their files."""
    columns: tuple[Column, ...] = Field(alias="schema", min_length=1)
    """The names and types of the columns; a header of CSV and the columns of Parquet must be these, in this order."""
    write: WriteMode = "truncate"
    """What becomes of rows that are there: `truncate` replaces them, `append` adds to them, `fail` refuses to load."""


class QueryStage(StageBase):
    """Asks a question of the tables; `{params.x}` and `{stage.metrics.name}` become bound parameters."""

    kind: Literal["query"]
    sql: str = Field(min_length=1)
    """What is asked, in the dialect of the connection's tables."""

    @field_validator("sql")
    @classmethod
    def _sql(cls, value: str) -> str:
        parse_template(value)
        return value


class PickStage(StageRules):
    """Picks the best of several stages by a metric; it runs on no cloud, and what the best one left is its own."""

    kind: Literal["pick"]
    candidates: tuple[str, ...] = Field(alias="from", min_length=1)
    """Stages that left metrics; one that was skipped, or lacks the metric, does not count."""
    by: str
    """`max(metrics.auc)` or `min(metrics.loss)`; the first of equals is picked."""
    at_least: int = Field(default=1, ge=1)
    """How many candidates must have the metric."""

    @field_validator("by")
    @classmethod
    def _by(cls, value: str) -> str:
        parse_best(value)
        return value.strip()

    @property
    def on(self) -> str:
        """Empty: it runs nowhere."""
        return ""


Stage = Annotated[
    CopyStage
    | JobStage
    | LoadTableStage
    | QueryStage
    | BatchPredictStage
    | DeployStage
    | InvokeStage
    | RetireStage
    | PickStage
    | ApproveStage,
    Field(discriminator="kind"),
]


def inputs_of(stage: Stage) -> dict[str, str]:
    """The stage's inputs as written: name to `stage` or `stage.output`."""
    nothing = QueryStage | RetireStage | PickStage | ApproveStage
    return {} if isinstance(stage, nothing) else stage.inputs


def outputs_of(stage: Stage) -> tuple[str, ...]:
    """The names of what a stage leaves by itself; what a pick leaves, `contracts.graph.outputs_in` tells."""
    if isinstance(stage, CopyStage):
        return ("data",)
    if isinstance(stage, BatchPredictStage | InvokeStage):
        return (PREDICTIONS,)
    return stage.outputs if isinstance(stage, JobStage) else ()
