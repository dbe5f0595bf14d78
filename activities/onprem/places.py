"""Where URIs lie below the root, and nowhere else."""

import os
from pathlib import Path

from contracts.artifacts import locate
from contracts.errors import ErrorDetail, ErrorKind, failure

HIDDEN = ".causeway"
"""The folder below the root where Causeway keeps what is its own; of it, URIs reach the manifests of transfers alone."""


class Places:
    """Maps `file:///` URIs to paths below a root; neither `..` nor a symbolic link leads out of it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve(strict=True)
        self.hidden = self.root / HIDDEN
        self.metadata = self.hidden / "meta"
        self.uploads = self.hidden / "uploads"
        self.jobs = self.hidden / "jobs"
        self.drafts = self.hidden / "drafts"
        self.endpoints = self.hidden / "endpoints"
        self.manifests = self.hidden / "manifests"

    def file(self, uri: str) -> Path:
        """Return the path of an object.

        Raises:
            ApplicationError: `INVALID_REQUEST` for a name no object can have, `ACCESS_DENIED` outside.
        """
        path = self._path(uri)
        if uri.endswith("/") or path == self.root:
            raise _invalid(uri, "an object's name does not end in '/'")
        return path

    def folder(self, uri: str) -> Path:
        """Return the path of a prefix; it need not exist.

        Raises:
            ApplicationError: as `file`.
        """
        if not uri.endswith("/"):
            raise _invalid(uri, "a prefix ends in '/'")
        return self._path(uri)

    def holds(self, path: Path) -> bool:
        """Whether a path, once every link is followed, lies below the root and outside of what is hidden."""
        real = Path(os.path.realpath(path))
        if real.is_relative_to(self.manifests):
            return True
        return real.is_relative_to(self.root) and not real.is_relative_to(self.hidden)

    def _path(self, uri: str) -> Path:
        name = _name(uri)
        pieces = name.removesuffix("/").split("/") if name else []
        if any(piece in {"", ".", ".."} or "\0" in piece for piece in pieces):
            raise _invalid(uri, "a part of its name is empty, '.' or '..'")
        path = self.root.joinpath(*pieces)
        if not self.holds(path):
            told = f"{uri} lies outside of the worker's root"
            raise failure(ErrorKind.ACCESS_DENIED, told, ErrorDetail(cloud="onprem", ref=uri))
        return path


def _name(uri: str) -> str:
    try:
        place = locate(uri)
    except ValueError as error:
        raise failure(ErrorKind.INVALID_REQUEST, str(error), ErrorDetail(cloud="onprem", ref=uri)) from None
    if place.scheme != "file":
        raise _invalid(uri, "this worker serves file:/// only")
    return place.name


def _invalid(uri: str, why: str) -> Exception:
    return failure(ErrorKind.INVALID_REQUEST, f"{uri}: {why}", ErrorDetail(cloud="onprem", ref=uri))
