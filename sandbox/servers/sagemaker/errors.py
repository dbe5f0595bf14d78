"""An answer that is an error, in the vendor's words."""

from __future__ import annotations


class AwsError(Exception):
    """A request that SageMaker would refuse."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        """Refuse with the vendor's error code."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> AwsError:
    """What the vendor answers to a request that makes no sense."""
    return AwsError("ValidationException", message)


def beyond_sandbox(what: str) -> AwsError:
    """The refusal of something that the vendor has and this server has not: never silently ignored."""
    return invalid(f"the sandbox's SageMaker does not do this: {what}")
