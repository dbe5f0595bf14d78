"""What of a parametrised module is really asked for, so that a fixture plays that and nothing else."""

from typing import Any

import pytest


def collected(request: pytest.FixtureRequest, name: str) -> list[Any]:
    """The values of one parameter in the tests of this module that were not deselected, in their order."""
    items = [item for item in request.session.items if item.path == request.path]
    specs = [spec for item in items if (spec := getattr(item, "callspec", None))]
    return list(dict.fromkeys(spec.params[name] for spec in specs))
