"""The word that plans a pipeline and runs nothing."""

from starter.words.arguments import JsonOption, ParamOption, PipelineArgument
from starter.words.ending import end


def plan(
    pipeline: PipelineArgument = None,
    param: ParamOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say where stages would run, and at what cost; run nothing.

    For each stage also why there, what would be moved to it, and which rules it would break.

    Every connection that a run would use is asked, and sources are weighed. Nothing is changed: no container is made, no
    code published, no byte moved.

    Exit code 2 says that a run would break a rule, 3 that a worker cannot be reached.
    """
    from starter import plans

    end(lambda: plans.plan(pipeline, tuple(param or ()), as_json=as_json))
