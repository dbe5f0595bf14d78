"""The policy file beside the workers: read once at their start, each mistake with its line."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from contracts.policy import Policy
from contracts.queues import normalise

POLICY = "CAUSEWAY_POLICY"


def read(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        ValueError: it is absent, no YAML, or says something that is no rule; says file, line, field and why.
    """
    try:
        document = YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"the policy {path} cannot be read: {error.strerror}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ValueError(f"{path}{line}: it is no YAML: {error.problem or error.context}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: it is no YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(document, CommentedMap):
        raise ValueError(f"{path}:1: a policy is a mapping of rules, such as classes: and data:")
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        raise ValueError("; ".join(_mistakes(path, document, error))) from None


def from_mapping(environment: Mapping[str, str]) -> Policy | None:
    """Read the policy that an environment names; None where it names none. See `read`."""
    named = environment.get(POLICY, "").strip()
    if not named:
        return None
    try:
        return read(Path(named))
    except ValueError as error:
        raise ValueError(f"{POLICY} is wrong: {error}") from None


def checked(path: Path) -> Path:
    """Return the path of a policy that is sound; see `read`."""
    read(path)
    return path


def region_of(policy: Policy, connection: str, own: str) -> str:
    """Return the region a worker lies in: its own settings', or what the policy says of it.

    Raises:
        ValueError: they say two things.
    """
    said = policy.places.get(normalise(connection), "")
    if own and said and own != said:
        raise ValueError(f"{POLICY}: places says that {connection} lies in {said}, its settings say {own}")
    return own or said


def _mistakes(path: Path, document: CommentedMap, error: ValidationError) -> Iterator[str]:
    for mistake in error.errors(include_url=False, include_input=False):
        at = [part for part in mistake["loc"] if part != "[key]"] or _seen_together(document)
        said = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            said = "there is no such rule"
        field = ".".join(map(str, at))
        yield f"{path}:{_line(document, at)}: {f'{field}: ' if field else ''}{said}"


def _seen_together(document: CommentedMap) -> list[Any]:
    """Where the mistake is that shows only when the rules are seen together: an unknown class, an approval of nobody."""
    known, data = document.get("classes") or {}, document.get("data") or {}
    crossing = (document.get("approvals") or {}).get("crossing") or ()
    named = [(["data", prefix], name) for prefix, name in data.items()]
    named += [(["approvals", "crossing", number], name) for number, name in enumerate(crossing)]
    named += [(["default_class"], document.get("default_class"))]
    unknown = next((at for at, name in named if name is not None and name not in known), None)
    given = document.get("waivers") or {}
    asked = (["approvals", rule] for rule in document.get("approvals") or {} if not given.get(rule))
    return unknown or next(asked, [])


def _line(document: CommentedMap, at: list[Any]) -> int:
    """The line of the deepest part of a path that the file has."""
    held: Any = document
    line = 1
    for part in at:
        if isinstance(held, CommentedMap) and part in held:
            line = held.lc.key(part)[0] + 1
        elif isinstance(held, CommentedSeq) and isinstance(part, int) and part < len(held):
            line = held.lc.item(part)[0] + 1
        else:
            break
        held = held[part]
    return line
