"""Values of a pipeline's params as people give them: a change takes the type of what is there."""

from pydantic import ConfigDict, TypeAdapter, ValidationError

from contracts.foreach import as_text
from contracts.mistakes import nearest
from contracts.spec import PipelineSpec
from contracts.tables import Scalar


def changed_param(spec: PipelineSpec, name: str, given: Scalar) -> Scalar:
    """Return another value of a param, in the type of the one that it has.

    Raises:
        ValueError: there is no such param, or the value is of another type.
    """
    if name not in spec.params:
        raise ValueError(f"the pipeline has no param {name!r}{nearest(name, spec.params)}")
    held = spec.params[name]
    wanted = type(held)
    value = as_text(given) if wanted is str else given
    try:
        found: Scalar = TypeAdapter(wanted, config=ConfigDict(allow_inf_nan=False)).validate_python(value)
    except ValidationError:
        told = f"{given!r} is no {wanted.__name__}, which the default {held!r} is"
        raise ValueError(told) from None
    return found
