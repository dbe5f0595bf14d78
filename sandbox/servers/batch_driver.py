"""What a vendor's batch service does beside a container: it runs the server and posts it the rows, file by file.

It runs as a program of its own on the job's machine, with the standard library alone:
`batch_driver.py FORM PORT_VARIABLE HEALTH PATH BATCH PARALLEL INPUT OUTPUT -- SERVER...`. FORM `lines` posts JSON lines and
writes the answered lines to `<file>.out`, as SageMaker's transform does; `instances` posts `{"instances": [...]}` and
writes `{"instance": ..., "prediction": ...}` lines to `prediction.results-<n>-of-<m>`, as Vertex AI does; `keyed:<field>` takes
that field out of the instances and writes it as `key` in their place. Vertex AI promises no order, so here it is turned.
"""

from __future__ import annotations

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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

RETRIES = 10
START_SECONDS = 600
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main(arguments: list[str]) -> int:
    """Score every file; 0 when all of them were."""
    form, variable, health, path, batch, parallel, source, target = arguments[:8]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(  # noqa: S603 (the job's own command)
        arguments[9:], env={**os.environ, variable: str(port)}, start_new_session=True
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if not _started(server, f"http://127.0.0.1:{port}{health}"):
            sys.stderr.write("the server did not become healthy\n")
            return 1
        files = sorted(Path(source).rglob("*.jsonl"))
        for number, file in enumerate(files):
            _score(
                form,
                f"http://127.0.0.1:{port}{path}",
                file,
                (int(batch), int(parallel)),
                (Path(target), number, len(files)),
            )
        return 0
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"scoring failed: {error}\n")
        return 1
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)


def _started(server: subprocess.Popen[bytes], url: str) -> bool:
    limit = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < limit:
        try:
            with _NO_PROXY.open(url, timeout=2) as answer:
                if answer.status == 200:
                    return True
        except OSError:
            time.sleep(0.1)
    return False


def _score(form: str, url: str, file: Path, size: tuple[int, int], place: tuple[Path, int, int]) -> None:
    rows = [line for line in file.read_text().splitlines() if line.strip()]
    batches = [rows[start : start + size[0]] for start in range(0, len(rows), size[0])]
    with ThreadPoolExecutor(size[1]) as pool:
        answers = list(pool.map(lambda batch: _post(form, url, batch), batches))
    target, number, count = place
    target.mkdir(parents=True, exist_ok=True)
    lines = [line for answer in answers for line in answer]
    name = f"{file.name}.out"
    if form != "lines":
        pairs = list(zip(rows, lines, strict=True))[::-1]
        lines = [json.dumps({**_told(form, row), "prediction": json.loads(line)}) for row, line in pairs]
        name = f"prediction.results-{number:05d}-of-{count:05d}"
    (target / name).write_text("".join(f"{line}\n" for line in lines))


def _told(form: str, row: str) -> dict[str, object]:
    instance = json.loads(row)
    key = form.partition(":")[2]
    return {"key": instance[key]} if key else {"instance": instance}


def _without_key(form: str, row: str) -> str:
    key = form.partition(":")[2]
    if not key:
        return row
    return json.dumps({name: value for name, value in json.loads(row).items() if name != key})


def _post(form: str, url: str, batch: list[str]) -> list[str]:
    if form == "lines":
        body, media_type = "".join(f"{row}\n" for row in batch), "application/jsonlines"
    else:
        instances = ", ".join(_without_key(form, row) for row in batch)
        body, media_type = '{"instances": [' + instances + "]}", "application/json"
    headers = {"Content-Type": media_type, "Accept": media_type}
    request = urllib.request.Request(url, body.encode(), headers)  # noqa: S310 (loopback)
    answer = _answered(request)
    if form == "lines":
        found = [line for line in answer.decode().splitlines() if line.strip()]
    else:
        found = [json.dumps(prediction) for prediction in json.loads(answer)["predictions"]]
    if len(found) != len(batch):
        raise ValueError(f"{len(found)} predictions for {len(batch)} rows")
    return found


def _answered(request: urllib.request.Request) -> bytes:
    for turn in range(RETRIES + 1):
        try:
            with _NO_PROXY.open(request, timeout=60) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            words = error.read(300).decode(errors="replace")
            if error.code not in (429, 503) or turn == RETRIES:
                raise OSError(f"the server answered {error.code}: {words}") from None
            time.sleep(min(float(error.headers.get("Retry-After") or 0.2 * 2**turn), 10))
    raise AssertionError("unreachable: the last turn returns or raises")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
