"""Scores the rows of a batch in a job: runs the server and posts it `{"instances": [...]}`, file by file.

It is a program that runs in a job, by the job's own python: the standard library alone, and nothing of Causeway.
`batch_driver.py BATCH PARALLEL ROWS PREDICTIONS SERVER...`: each `*.jsonl` below ROWS becomes a file of its name with a
prediction for each row. A 429 or 503 is waited out, as long as the server asks and ten times at most.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

RETRIES = 10
LONGEST_WAIT_SECONDS = 30.0
ANSWER_SECONDS = 60.0
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main(arguments: list[str]) -> int:
    """Score every file; 0 when all of them were."""
    batch, parallel, rows, predictions = arguments[:4]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with served(arguments[4:]) as url:
            for file in sorted(Path(rows).glob("*.jsonl")):
                found = scored(url, file, int(batch), int(parallel))
                (Path(predictions) / file.name).write_text("".join(f"{line}\n" for line in found))
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"scoring failed: {error}\n")
        return 1
    return 0


@contextmanager
def served(command: list[str]) -> Iterator[str]:
    """Run a server, and yield where it takes rows once it is healthy; it has ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(  # noqa: S603 (the stage's own command, and no shell reads it)
        command, env={**os.environ, "PORT": str(port)}, start_new_session=True
    )
    try:
        url = f"http://127.0.0.1:{port}"
        while not well(f"{url}/ping"):
            if server.poll() is not None:
                raise OSError(f"the server ended with {server.returncode} before it was healthy")
            time.sleep(0.1)
        yield f"{url}/predict"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)


def well(url: str) -> bool:
    """Whether a server answers this with 200."""
    try:
        with DIRECT.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def scored(url: str, file: Path, batch: int, parallel: int) -> list[str]:
    """Return a prediction for each row of a file, in their order, as JSON."""
    rows = [line for line in file.read_text().split("\n") if line]
    batches = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    with ThreadPoolExecutor(parallel) as pool:
        answers = list(pool.map(lambda group: _post(url, group), batches))
    return [json.dumps(prediction) for answer in answers for prediction in answer]


def _post(url: str, rows: list[str]) -> list[object]:
    body = '{"instances": [' + ",".join(rows) + "]}"
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body.encode(), headers)  # noqa: S310 (loopback)
    predictions: list[object] = json.loads(_answered(request))["predictions"]
    if len(predictions) != len(rows):
        raise ValueError(f"the server answered {len(predictions)} predictions for {len(rows)} rows")
    return predictions


def _answered(request: urllib.request.Request) -> bytes:
    for turn in range(RETRIES + 1):
        try:
            with DIRECT.open(request, timeout=ANSWER_SECONDS) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            words = error.read(500).decode(errors="replace")
            if error.code not in (429, 503) or turn == RETRIES:
                raise OSError(f"the server answered {error.code}: {words}") from None
            asked = error.headers.get("Retry-After") or ""
            time.sleep(min(float(asked) if asked.isdecimal() else 0.2 * 2**turn, LONGEST_WAIT_SECONDS))
    raise AssertionError("unreachable: the last turn returns or raises")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
