"""What may stand for the outputs of a stage that is skipped. Pure functions of a spec."""

from collections.abc import Iterator

from contracts.artifacts import locate
from contracts.graph import references_of, resolve, shape_of
from contracts.inference import InvokeStage
from contracts.mistakes import nearest
from contracts.queues import CLOUD_OF_SCHEME, cloud_of
from contracts.spec import PipelineSpec
from contracts.stages import inputs_of, outputs_of


def check_skip(spec: PipelineSpec, name: str, given: dict[str, str]) -> None:
    """Refuse to go on without a stage, unless what others need of it is given.

    Raises:
        ValueError: an output that is needed is not given, or cannot be; or what is given cannot stand for it.
    """
    for output, uri in given.items():
        _check_output(spec, name, output, uri)
    needed = [other for other in spec.stages if _needs_more(spec, other, name)]
    if needed:
        told = f"cannot be skipped; its metrics or its endpoint are needed by {', '.join(needed)}"
        raise ValueError(told)
    missing: dict[str, list[str]] = {}
    for output, other in _taken(spec, name):
        if output not in given:
            missing.setdefault(output, []).append(other)
    if missing:
        said = "; ".join(f"{output} is needed by {', '.join(others)}" for output, others in missing.items())
        raise ValueError(
            f"cannot be skipped without its outputs: {said}; give --output {next(iter(missing))}=URI"
        )


def _check_output(spec: PipelineSpec, name: str, output: str, uri: str) -> None:
    stage = spec.stages[name]
    there = outputs_of(stage)
    if output not in there:
        raise ValueError(f"it has no output {output!r}{nearest(output, there)}")
    try:
        place = locate(uri)
    except ValueError as error:
        raise ValueError(f"output {output}: {error}") from None
    if stage.on and CLOUD_OF_SCHEME[place.scheme] != cloud_of(stage.on):
        raise ValueError(
            f"output {output}: {uri!r} does not lie on {stage.on!r}, where the stage runs; copy it there"
        )
    shape = shape_of(spec, stage)
    if not place.name or uri.endswith("/") != (shape == "folder"):
        raise ValueError(
            f"output {output}: it is a {shape}, and {uri!r} names none; a folder's URI ends in /, a file's does not"
        )


def _taken(spec: PipelineSpec, name: str) -> Iterator[tuple[str, str]]:
    """Each output of a stage that another takes, with that other."""
    for other, stage in spec.stages.items():
        for written in inputs_of(stage).values():
            if written.partition(".")[0] == name:
                yield resolve(spec, written).output, other


def _needs_more(spec: PipelineSpec, other: str, name: str) -> bool:
    """Whether a stage needs what no artifact can stand for."""
    stage = spec.stages[other]
    asks = any(reference.stage == name for reference, _ in references_of(stage))
    return asks or (isinstance(stage, InvokeStage) and stage.endpoint == name)
