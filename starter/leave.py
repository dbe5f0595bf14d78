"""Ends a process that has spoken to Temporal."""

import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End without Python's own tear-down.

    The core's threads outlive the interpreter and abort it now and then with code 134 (temporalio/sdk-python issue 300).
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            code = code or 1
    os._exit(code)
