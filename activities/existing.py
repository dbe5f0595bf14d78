"""What to do about an object that already lies at a target: keep it, replace it, or refuse."""

from collections.abc import Callable
from typing import Literal

from activities.store import may_replace
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import IfExists

Decision = Literal["create", "replace", "keep"]


def decide(
    held: ObjectStat | None, same: Callable[[ObjectStat], bool], if_exists: IfExists, owner: str
) -> Decision:
    """Judge what lies at a target; `same` is asked only when it matters, since it may have to read it all.

    The same content is kept; what this very owner wrote may be replaced, anything else only if so asked.

    Raises:
        ApplicationError: `TARGET_CONFLICT`.
    """
    if held is None:
        return "replace" if may_replace(if_exists) else "create"
    own = bool(owner) and held.owner == owner
    if if_exists == "fail" and not own:
        raise conflict(held.uri, "an object lies there already and if_exists is fail")
    if same(held):
        return "keep"
    if own or may_replace(if_exists):
        return "replace"
    raise conflict(held.uri, "an object with other content lies there already")


def conflict(uri: str, why: str) -> Exception:
    """Return the refusal to touch a target."""
    return failure(ErrorKind.TARGET_CONFLICT, f"{uri}: {why}", ErrorDetail(ref=uri))
