"""The fields of a pipeline, from its models: each with its type, its default and what its model says of it."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from contracts.approvals import ApproveStage
from contracts.foreach import Foreach, Share
from contracts.inference import BatchPredictStage, DeployStage, InvokeStage, RetireStage
from contracts.machines import Resources
from contracts.policy import DataClass, EgressLimit, Tightening
from contracts.spec import Defaults, PipelineSpec
from contracts.stage_base import CommandStage, Expect, StageBase, StageRules
from contracts.stages import CopyStage, JobStage, LoadTableStage, PickStage, QueryStage
from contracts.tables import Column
from starter.spec.fields import described_schema, own_fields, said_of

SCORING = "batch_predict-deploy-invoke-retire"
SECTIONS: dict[type[BaseModel], tuple[str, str]] = {
    PipelineSpec: ("The pipeline", "the-pipeline"),
    Defaults: ("Fields of defaults", "the-pipeline"),
    StageRules: ("Fields of every stage", "what-every-stage-has"),
    StageBase: ("Fields of every stage that runs somewhere", "what-every-stage-has"),
    Expect: ("Fields of expect", "what-every-stage-has"),
    CommandStage: ("Fields of every stage with a command", "process-train-predict"),
    CopyStage: ("Kind copy", "copy"),
    JobStage: ("Kinds process, train and predict", "process-train-predict"),
    BatchPredictStage: ("Kind batch_predict", SCORING),
    DeployStage: ("Kind deploy", SCORING),
    InvokeStage: ("Kind invoke", SCORING),
    RetireStage: ("Kind retire", SCORING),
    LoadTableStage: ("Kind load_table", "load_table"),
    QueryStage: ("Kind query", "query"),
    PickStage: ("Kind pick", "pick"),
    ApproveStage: ("Kind approve", "approve"),
    Resources: ("Fields of resources", "process-train-predict"),
    Foreach: ("Fields of foreach", "foreach-a-job-for-each-of-many-items"),
    Share: ("Fields of failures", "foreach-a-job-for-each-of-many-items"),
    Tightening: ("Fields of policy", "policy.md#policy"),
    DataClass: ("Fields of a class of policy", "policy.md#policy"),
    EgressLimit: ("Fields of max_egress of policy", "policy.md#policy"),
    Column: ("Fields of a column of schema", "load_table"),
}
"""Each model to its heading here, and to the section of docs/pipelines.md, or of another page, that explains it."""
SHARED = (StageRules, StageBase, CommandStage)


def fields() -> Iterator[str]:
    """Yield the sections of all models."""
    yield "## Fields of a pipeline"
    schema = described_schema()
    known = {**schema["$defs"], PipelineSpec.__name__: schema}
    known |= {model.__name__: model.model_json_schema(by_alias=True) for model in SHARED}
    for model, (heading, explained) in SECTIONS.items():
        yield f"### {heading}"
        page, _, section = explained.rpartition("#")
        where = f"[{page or 'pipelines.md'}]({page or 'pipelines.md'}#{section})"
        yield f"{_first(model.__doc__)} {_besides(model)}Explained: {where}."
        yield _table(model, known[model.__name__])


def anchor(model: str) -> str:
    """Return where a model of this name stands on the page."""
    heading = next(title for one, (title, _) in SECTIONS.items() if one.__name__ == model)
    return heading.lower().replace(",", "").replace(" ", "-")


def _first(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].split())


def _besides(model: type[BaseModel]) -> str:
    """Name the base whose fields it has, too; that one names its own."""
    base = next((base for base in model.__mro__[1:] if base in SHARED), None)
    if base is None:
        return ""
    heading = SECTIONS[base][0]
    return f"It has the [{heading[0].lower()}{heading[1:]}](#{anchor(base.__name__)}), too. "


def _table(model: type[BaseModel], schema: dict[str, Any]) -> str:
    said, rows = said_of(model), []
    for name in own_fields(model):
        alias = model.model_fields[name].alias or name
        shape = schema["properties"][alias]
        needed = alias in schema.get("required", [])
        meaning = said.get(name, "What the stage does." if name == "kind" else "")
        default = "needed" if needed else _default(shape.get("default"))
        rows.append(f"| `{alias}` | {type_of(shape)} | {default} | {_cell(meaning)} |")
    return "\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows])


def _default(value: Any) -> str:
    if value is None or value in ([], {}, ""):
        return ""
    if isinstance(value, dict):
        return "its fields' own"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def type_of(shape: dict[str, Any]) -> str:
    """Return the type of a field in words, from its JSON Schema."""
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return f"[{name}](#{anchor(name)})"
    if "oneOf" in shape:
        return "a stage"
    if "anyOf" in shape:
        return _either(shape["anyOf"])
    if "const" in shape or "enum" in shape:
        return ", ".join(f"`{value}`" for value in shape.get("enum", [shape.get("const")]))
    return _plain(shape)


def _either(shapes: list[dict[str, Any]]) -> str:
    words = [type_of(shape) for shape in shapes if shape.get("type") != "null"]
    return ", ".join(dict.fromkeys(words))


def _plain(shape: dict[str, Any]) -> str:
    kind = shape.get("type")
    if kind == "array":
        return f"list of {type_of(shape.get('items', {}))}"
    if kind == "object":
        values: dict[str, Any] = shape.get("additionalProperties") or next(
            iter(shape.get("patternProperties", {}).values()), {}
        )
        return f"names to {type_of(values)}"
    if kind in {"integer", "number"}:
        return {"integer": "whole number", "number": "number"}[kind] + _bounds(shape)
    if shape.get("examples"):
        return f"text such as {', '.join(f'`{example}`' for example in shape['examples'])}"
    return {"string": "text", "boolean": "`true`, `false`"}.get(str(kind), "value")


def _bounds(shape: dict[str, Any]) -> str:
    low = shape.get("minimum", shape.get("exclusiveMinimum"))
    high = shape.get("maximum", shape.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f" {low} to {high}"
    return f" from {low}" if low is not None else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
