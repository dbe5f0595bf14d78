"""What a room hands to its worker: the bound methods that are activities."""

import inspect
from collections.abc import Callable
from typing import Any


def bound_activities(*implementations: object) -> list[Callable[..., Any]]:
    """Return every method decorated with `@activity.defn`, in the order given.

    Raises:
        TypeError: a contract's stub was inherited and not decorated again.
    """
    found: list[Callable[..., Any]] = []
    for implementation in implementations:
        for name, method in inspect.getmembers(implementation, inspect.ismethod):
            if not hasattr(method, "__temporal_activity_definition"):
                continue
            if method.__func__.__module__.startswith("contracts."):
                raise TypeError(f"{type(implementation).__name__}.{name} is still the contract's stub")
            found.append(method)
    return found
