"""What a preflight finds in a run's way, gathered so that a person mends all of it at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError

from contracts.errors import ErrorDetail, ErrorKind, failure


class Refusals:
    """Final errors of looks that do not depend on each other."""

    def __init__(self) -> None:
        self._found: list[ApplicationError] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep a final error for later; one that is tried again passes, and one that every other look would repeat."""
        try:
            yield
        except ApplicationError as error:
            if not error.non_retryable or error.type == ErrorKind.UNAUTHENTICATED:
                raise
            self._found.append(error)

    @property
    def words(self) -> str:
        """What was refused, in one line; empty when nothing was."""
        return "; ".join(error.message for error in self._found)

    def tell(self) -> None:
        """Return when nothing was refused.

        Raises:
            ApplicationError: the one there is, or one of the first's kind that says them all.
        """
        if not self._found:
            return
        first, *others = self._found
        if not others:
            raise first
        lines = [f"{error.type}: {error.message}" for error in self._found]
        detail = next((part for part in first.details if isinstance(part, ErrorDetail)), None)
        told = "\n".join((f"{len(lines)} things stand in the way:", *lines))
        raise failure(ErrorKind(str(first.type)), told, detail)
