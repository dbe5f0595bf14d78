"""Classes of data: which a stage reads and leaves, and which an object has by where it lies. Pure functions.

Classes flow along inputs. What a run leaves of a classified stage lies below `runs/<run uid>/classes.<a>.<b>/`, so that
whoever sees its URI knows them and needs nobody's word for it.
"""

from collections.abc import Iterator, Sequence

from contracts.choices import leaves
from contracts.graph import order
from contracts.marks import marked
from contracts.mistakes import Problem, nearest
from contracts.model import Message
from contracts.policy import Tightening
from contracts.serving import endpoint_of
from contracts.spec import PipelineSpec
from contracts.stage_base import StageRules
from contracts.stages import CopyStage, PickStage, inputs_of


class StageClasses(Message):
    """Classes of the policy about one stage, each sorted."""

    read: tuple[str, ...] = ()
    """Of its inputs and of its source."""
    left: tuple[str, ...] = ()
    """Of what it leaves."""
    here: tuple[str, ...] = ()
    """Of all that comes to lie where the stage runs."""


def classes_of(spec: PipelineSpec, policies: Sequence[Tightening]) -> dict[str, StageClasses]:
    """The classes of each stage of a sound spec; every rule of every class holds for it.

    A stage leaves its own class and those of all that it reads; `declassify` takes those of what it reads off. What has
    no class by all that has the default one.
    """
    found: dict[str, StageClasses] = {}
    for name in order(spec):
        stage = spec.stages[name]
        read = {kind for producer in _producers(spec, name) for kind in found[producer].left}
        own = {stage.data_class} if stage.data_class else set()
        if isinstance(stage, CopyStage):
            read |= set(classes_at(stage.source, policies)) if stage.source else set()
            own |= set(_said_of(stage.target, policies)) if stage.target else set()
        left = own if stage.declassify else own | read
        left = left or set(_default(policies))
        here = left if stage.declassify and isinstance(stage, CopyStage) else left | read
        found[name] = StageClasses(
            read=tuple(sorted(read)), left=tuple(sorted(left)), here=tuple(sorted(here))
        )
    return found


def classes_at(uri: str, policies: Sequence[Tightening]) -> tuple[str, ...]:
    """The classes of an object or a folder by where it lies; of what nothing says a class of, the default one."""
    found = {*marked(uri), *_said_of(uri, policies)}
    return tuple(sorted(found or _default(policies)))


def unknown_classes(spec: PipelineSpec, policies: Sequence[Tightening]) -> Iterator[Problem]:
    """Classes that a spec names and no policy has."""
    known = {name for policy in policies for name in policy.classes}
    for name, stage in spec.stages.items():
        if stage.data_class and stage.data_class not in known:
            told = f"no policy has a class {stage.data_class!r}{nearest(stage.data_class, known)}"
            yield Problem(path=("stages", name, "data_class"), message=told)
    for named in spec.policy.named if spec.policy else ():
        if named not in known:
            told = f"no policy has a class {named!r}{nearest(named, known)}"
            yield Problem(path=("policy",), message=told)


def _producers(spec: PipelineSpec, name: str) -> set[str]:
    """Whose data a stage reads; a pick's is that of whatever it may pick."""
    stage: StageRules = spec.stages[name]
    found = {written.partition(".")[0] for written in inputs_of(spec.stages[name]).values()}
    endpoint = endpoint_of(spec.stages[name])
    found |= {endpoint} if endpoint else set()
    if isinstance(stage, PickStage):
        found |= set(leaves(spec, name)) | set(stage.candidates)
    return found


def _said_of(uri: str, policies: Sequence[Tightening]) -> set[str]:
    return {name for policy in policies for prefix, name in policy.data.items() if lies_below(uri, prefix)}


def lies_below(uri: str, prefix: str) -> bool:
    """Whether an object or a folder lies below a prefix, or may hold what does."""
    one, other = _folded(uri), _folded(prefix)
    return one.startswith(other) or (uri.endswith("/") and other.startswith(one))


def _folded(uri: str) -> str:
    """A URI as a prefix is compared by: whole names, so that siblings never match."""
    return uri if uri.endswith("/") else f"{uri}/"


def _default(policies: Sequence[Tightening]) -> set[str]:
    return {policy.default_class for policy in policies if policy.default_class}
