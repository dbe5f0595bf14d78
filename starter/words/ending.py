"""How a word ends: its outcome becomes an exit code, and every expected error a clear line."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import typer

from starter.exits import Exit, StarterError
from starter.leave import leave, unwritten


def end(command: Callable[[], Coroutine[Any, Any, Exit]]) -> NoReturn:
    """Do what speaks to Temporal, and end the process."""

    def whole() -> Exit:
        return asyncio.run(command())

    leave(_outcome(whole))


def end_plain(command: Callable[[], Exit]) -> NoReturn:
    """Do what needs no Temporal, and end the word."""
    raise typer.Exit(_outcome(command))


def _outcome(command: Callable[[], Exit]) -> Exit:
    try:
        return command()
    except StarterError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except OSError as error:
        return unwritten(error)
