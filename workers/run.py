"""Runs one worker in this process."""

import importlib
import os
import signal
import sys
import threading
import time
from typing import NoReturn

from telemetry.switches import along
from workers.catalogue import own_environment
from workers.connections import adopt
from workers.health import address_of
from workers.logs import configure
from workers.serve import Service, end, serve


def run(worker: str, ready_file: str | None = None, parent: int | None = None) -> NoReturn:
    """Serve until told to stop; a setting that is missing or wrong ends the process with one line and exit 2."""
    kept = own_environment(worker, os.environ)
    for name in set(os.environ) - set(kept):
        del os.environ[name]
    if ready_file:
        os.environ["CAUSEWAY_READY_FILE"] = ready_file
    configure(worker)
    if parent:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        adopt(worker, os.environ)
        address_of(os.environ)
        along(os.environ)
        service: Service = importlib.import_module(f"workers.{worker}").service()
    except ImportError as error:
        sys.exit(_refusal(worker, f"{error}; install the extra {worker} of pyproject.toml"))
    except ValueError as error:
        sys.exit(_refusal(worker, str(error)))
    end(serve(service))


def _end_with(parent: int) -> None:
    """Stop as SIGTERM would when the supervisor was killed: nobody else would end this worker."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _refusal(worker: str, why: str) -> int:
    sys.stderr.write(f"the {worker} worker does not start: {why}\n")
    return 2
