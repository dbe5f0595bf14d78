"""What a pipeline asks of the identities that run it, connection by connection. No cloud lives here."""

from typing import Literal

from contracts.model import Message

Feature = Literal["jobs", "batch_predict", "endpoints", "tables"]
"""Beside the store, which every connection of a run needs."""


class PermissionRequest(Message):
    """What a run will do on one connection."""

    connection: str
    pipeline: str = ""
    """Whose rights these are: what is named after it says so."""
    features: tuple[Feature, ...] = ()
    reads: tuple[str, ...] = ()
    """URIs of the author's own that are read: an object, or a folder that ends in `/`."""
    writes: tuple[str, ...] = ()
    """Likewise, that are written."""
    tables: tuple[str, ...] = ()
    """`dataset.table` or `project.dataset.table` that are loaded."""
    statements: tuple[str, ...] = ()
    """What is asked of tables, as SQL."""
    images: tuple[str, ...] = ()
    """Container images that job stages name."""
    create: bool = False
    """Whether `run --create` may make the container."""
