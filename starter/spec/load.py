"""From a pipeline's file to a checked spec with its code: every mistake at once, each with its line."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from contracts.code import CodeBundle
from contracts.graph import problems_of
from contracts.mistakes import nearest
from contracts.params import changed_param
from contracts.spec import PipelineSpec
from contracts.stage_base import CommandStage
from contracts.stages import Stage
from contracts.tables import Scalar
from starter.exits import StarterError
from starter.spec.code import CodeProblem, check_total, pack_folder
from starter.spec.document import Document, Plain, SyntaxProblem, parse
from starter.spec.document import Path as Where
from starter.spec.problems import Mistake, SpecError, spec_mistakes

_STAGE: TypeAdapter[Stage] = TypeAdapter(Stage)


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that is fit to run."""

    spec: PipelineSpec
    bundles: dict[str, CodeBundle]
    file: Path


def load(file: Path, params: dict[str, str] | None = None, on_failure: str | None = None) -> Pipeline:
    """Read, check and pack a pipeline; `--param` and `--on-failure` are part of the spec that runs.

    Raises:
        SpecError: the file has mistakes.
        StarterError: there is no such file, or a param is wrong.
    """
    document = _document(file)
    if on_failure and isinstance(document.value, dict):
        document.value["defaults"] = {**_mapping(document.value.get("defaults")), "on_failure": on_failure}
    spec = _spec(file, document)
    spec = with_params(spec, params or {})
    mistakes = [
        Mistake(_shown(file), document.line_of(problem.path), _field(problem.path), problem.message)
        for problem in problems_of(spec)
    ]
    bundles, code_mistakes = _bundles(file, document, spec)
    if mistakes or code_mistakes:
        raise SpecError([*mistakes, *code_mistakes])
    return Pipeline(spec, bundles, file)


def with_params(spec: PipelineSpec, given: dict[str, str]) -> PipelineSpec:
    """Return the pipeline with other values of its params, read as what they are.

    Raises:
        StarterError: it has no param of that name, or the text is no value of its type.
    """
    return spec.model_copy(update={"params": {**spec.params, **_changed(spec, given)}})


def find(name: str | None) -> Path:
    """Find a pipeline's file: a path, a folder with `pipeline.yaml`, or the name of one under `pipelines/`.

    Raises:
        StarterError: there is none.
    """
    wanted = name or "quickstart"
    shipped = Path(__file__).resolve().parents[2] / "pipelines"
    for candidate in (Path(wanted), Path(wanted) / "pipeline.yaml", shipped / wanted / "pipeline.yaml"):
        if candidate.is_file():
            return candidate
    known = [path.parent.name for path in shipped.glob("*/pipeline.yaml")]
    raise StarterError(
        f"there is no pipeline {wanted!r}: neither a file, nor a folder with pipeline.yaml{nearest(wanted, known)}"
    )


def _document(file: Path) -> Document:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except SyntaxProblem as problem:
        raise SpecError([Mistake(_shown(file), problem.line, "", problem.message)]) from None
    except UnicodeDecodeError:
        raise SpecError([Mistake(_shown(file), 1, "", "the file is not UTF-8 text")]) from None
    except OSError as error:
        raise StarterError(f"{file} cannot be read: {error.strerror}") from None


def _spec(file: Path, document: Document) -> PipelineSpec:
    if not isinstance(document.value, dict):
        raise SpecError(
            [Mistake(_shown(file), 1, "", "a pipeline is a mapping with the keys pipeline and stages")]
        )
    try:
        return PipelineSpec.model_validate(document.value)
    except ValidationError as error:
        found = [*spec_mistakes(error), *_graph_mistakes(document.value)]
    raise SpecError(
        Mistake(_shown(file), document.line_of(path), _field(path), message) for path, message in found
    )


def _graph_mistakes(value: dict[str, Plain]) -> list[tuple[Where, str]]:
    """What can be said of the stages that are sound, beside others that are not."""
    stages, unread = {}, set()
    for name, stage in _mapping(value.get("stages")).items():
        try:
            stages[name] = _STAGE.validate_python(stage)
        except ValidationError:
            unread.add(name)
    params: dict[str, Scalar] = {
        name: param if isinstance(param, bool | int | float) else str(param)
        for name, param in _mapping(value.get("params")).items()
    }
    spec = PipelineSpec.model_construct(pipeline="", stages=stages, params=params)
    return [(problem.path, problem.message) for problem in problems_of(spec, frozenset(unread))]


def _changed(spec: PipelineSpec, params: dict[str, str]) -> dict[str, Scalar]:
    changed: dict[str, Scalar] = {}
    for name, text in params.items():
        try:
            changed[name] = changed_param(spec, name, text)
        except ValueError as error:
            given = f"{name}={text}" if name in spec.params else name
            raise StarterError(f"--param {given}: {error}") from None
    return changed


def _bundles(
    file: Path, document: Document, spec: PipelineSpec
) -> tuple[dict[str, CodeBundle], list[Mistake]]:
    bundles: dict[str, CodeBundle] = {}
    mistakes = []
    for name, stage in spec.stages.items():
        if not isinstance(stage, CommandStage) or stage.code is None or stage.code in bundles:
            continue
        path = ("stages", name, "code")
        try:
            bundles[stage.code] = pack_folder(file.parent, stage.code)
            check_total(bundles)
        except CodeProblem as problem:
            mistakes.append(Mistake(_shown(file), document.line_of(path), _field(path), str(problem)))
    return bundles, mistakes


def _mapping(value: Plain) -> dict[str, Plain]:
    return value if isinstance(value, dict) else {}


def _field(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def _shown(file: Path) -> str:
    return str(file)
