"""Classes of data as a run writes them into the paths of what it leaves: `runs/<run uid>/classes.<a>.<b>/<stage>/`.

The name of a stage has no dot, so the path of a stage without a class is never taken for one that has some.
"""

import re
from collections.abc import Iterable

from contracts.artifacts import locate

OPTIONAL = r"(?:classes\.[a-z0-9.-]+/)?"
"""Of a path, as a pattern: between the run and the stage."""
_MARKED = re.compile(r"(?:^|/)runs/[^/]+/classes\.([a-z0-9.-]+)/")


def marked(uri: str) -> tuple[str, ...]:
    """The classes that a run wrote into a URI, sorted."""
    found = _MARKED.search(locate(uri).name)
    return tuple(sorted(filter(None, found[1].split(".")))) if found else ()


def mark(classes: Iterable[str]) -> tuple[str, ...]:
    """The part of a prefix that says these classes; none for none."""
    said = ".".join(sorted(set(classes)))
    return (f"classes.{said}",) if said else ()


def path_of(run_uid: str, stage: str, uris: Iterable[str]) -> str:
    """The path, ending in `/`, of what has the classes that are marked in any of these URIs."""
    held = (name for uri in uris for name in marked(uri))
    return "/".join(("runs", run_uid, *mark(held), stage)) + "/"
