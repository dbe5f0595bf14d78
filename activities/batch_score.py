"""The scoring script of a batch deployment: starts the model's server once, and posts it the rows file by file.

It is loaded in the vendor's job, by the job's own python: the standard library and `batch_driver.py` beside it, nothing of
Causeway. Each file of rows becomes a file of its name below `AZUREML_BI_OUTPUT_PATH`, with a prediction for each row: files that
are appended to, as the service offers, keep no order.
"""

import atexit
import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
driver = importlib.import_module("batch_driver")
"""It lies beside this file in the job, and nowhere else."""
SCRIPT = "serve.sh"
"""Somewhere below the model's folder."""
SIZE, PARALLEL = "CAUSEWAY_BATCH_SIZE", "CAUSEWAY_MAX_PARALLEL"
_server: list[tuple[str, "subprocess.Popen[str]"]] = []


def init() -> None:
    """Start the server, and return when it is healthy."""
    script = next(Path(os.environ["AZUREML_MODEL_DIR"]).rglob(SCRIPT))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PORT": str(port)}
    words = ["sh", str(script)]
    server = subprocess.Popen(  # noqa: S603 (the stage's own command, and no shell reads it)
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    atexit.register(shutdown)
    _server.append((f"http://127.0.0.1:{port}", server))
    printer = threading.Thread(target=_print, args=(server,), daemon=True)
    printer.start()
    while not driver.well(f"http://127.0.0.1:{port}/ping"):
        if server.poll() is not None:
            printer.join(5)
            raise OSError(f"the server ended with {server.returncode} before it was healthy")
        time.sleep(0.1)


def run(mini_batch: list[str]) -> list[str]:
    """Score some files, and return the names of those that were."""
    url = f"{_server[-1][0]}/predict"
    for path in map(Path, mini_batch):
        found = driver.scored(url, path, int(os.environ[SIZE]), int(os.environ[PARALLEL]))
        place = Path(os.environ["AZUREML_BI_OUTPUT_PATH"]) / path.name
        place.write_text("".join(f"{line}\n" for line in found))
    return [Path(path).name for path in mini_batch]


def shutdown() -> None:
    """End the server."""
    for _, server in _server:
        server.send_signal(signal.SIGKILL)


def _print(server: "subprocess.Popen[str]") -> None:
    # What a child prints by itself goes past the file in which the service keeps the words of a scoring script.
    for line in server.stdout or ():
        sys.stdout.write(line)
        sys.stdout.flush()
