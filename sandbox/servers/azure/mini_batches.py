"""What runs a scoring script over files: `init()` once in each process, then `run(files)` for each mini-batch.

It runs as a program of its own on the job's machine, with the standard library alone:
`mini_batches.py SIZE CONCURRENCY ERROR_THRESHOLD RETRIES TIMEOUT_SECONDS SCRIPT INPUT OUTPUT`. OUTPUT is the file to which
the rows that `run` returns are appended, or empty: then the script writes what it likes. A mini-batch that raises, or takes
too long, is tried again; the files of one that never succeeds count as errors, as do those for which `run` returned nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, cast

WORKER = "--worker"


class ScriptError(Exception):
    """The script could not be loaded, or its `init()` failed."""


class Work:
    """The mini-batches that are left, and what came of the others."""

    def __init__(self, files: list[str], size: int, output: str) -> None:
        """Cut the files; every row goes to `output`, if there is one."""
        self.left: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        for start in range(0, len(files), size):
            self.left.put(files[start : start + size])
        self.errors = 0
        self.broken: str | None = None
        self._output = output
        self._lock = threading.Lock()

    def landed(self, files: list[str], rows: list[str] | None, count: int) -> None:
        """Write down what came of a mini-batch; None are the rows of one that never succeeded."""
        with self._lock:
            self.errors += max(0, len(files) - count)
            if rows and self._output:
                with Path(self._output).open("a") as file:
                    file.writelines(f"{row}\n" for row in rows)


class Process:
    """One process that has loaded the script."""

    def __init__(self, script: str) -> None:
        """Start it, and return when `init()` has.

        Raises:
            ScriptError: it ended before.
        """
        reader, writer = os.pipe()
        self._child = subprocess.Popen(  # noqa: S603 (this very file)
            [sys.executable, __file__, WORKER, script, str(writer)],
            stdin=subprocess.PIPE,
            text=True,
            pass_fds=[writer],
            start_new_session=True,
        )
        os.close(writer)
        self._wanted = cast(TextIO, self._child.stdin)
        self._answers = os.fdopen(reader)
        if self._answer(None) is None:
            self.end()
            raise ScriptError("the scoring script failed in init()")

    def score(self, files: list[str], seconds: float) -> dict[str, Any] | None:
        """What `run` made of them; None when it took too long or the process died, which is its end then."""
        with contextlib.suppress(BrokenPipeError):
            self._wanted.write(json.dumps(files) + "\n")
            self._wanted.flush()
        return self._answer(seconds)

    def end(self) -> None:
        """Let it end by itself if it can, else with all it started."""
        with contextlib.suppress(BrokenPipeError):
            self._wanted.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(5)
        self.kill()

    def kill(self) -> None:
        """End it, with all it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def _answer(self, seconds: float | None) -> dict[str, Any] | None:
        if not select.select([self._answers], [], [], seconds)[0]:
            return None
        line = self._answers.readline()
        found: dict[str, Any] | None = json.loads(line) if line else None
        return found


def main(arguments: list[str]) -> int:
    """Score every file; 0 when no more of them failed than are allowed to."""
    size, concurrency, threshold, retries = map(int, arguments[:4])
    seconds, script, source, output = float(arguments[4]), *arguments[5:8]
    files = sorted(str(path) for path in Path(source).rglob("*") if path.is_file())
    work = Work(files, size, output)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threads = [
        threading.Thread(target=_scores, args=(work, script, retries, seconds), daemon=True)
        for _ in range(concurrency)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and not _given_up(work, threshold):
        time.sleep(0.05)
    if work.broken or _given_up(work, threshold):
        sys.stderr.write(f"{work.broken or f'{work.errors} of {len(files)} files failed'}\n")
        return 1
    return 0


def _given_up(work: Work, threshold: int) -> bool:
    return work.broken is not None or (threshold >= 0 and work.errors > threshold)


def _scores(work: Work, script: str, retries: int, seconds: float) -> None:
    process: Process | None = None
    try:
        process = Process(script)
        for files in _each(work):
            for _ in range(retries + 1):
                process = process or Process(script)
                answer = process.score(files, seconds)
                if answer is None:
                    sys.stderr.write(
                        f"a mini-batch of {len(files)} files took more than {seconds} s, or its process died\n"
                    )
                    process.kill()
                    process = None
                elif "rows" in answer:
                    work.landed(files, answer["rows"], answer["count"])
                    break
            else:
                work.landed(files, None, 0)
    except ScriptError as error:
        work.broken = str(error)
    finally:
        if process is not None:
            process.end()


def _each(work: Work) -> Iterator[list[str]]:
    with contextlib.suppress(queue.Empty):
        while True:
            yield work.left.get_nowait()


def serve(script: str, channel: TextIO) -> None:
    """Be a process that scores: load the script, then answer each line of files."""
    sys.path.insert(0, str(Path(script).resolve().parent))
    module = importlib.import_module(Path(script).stem)
    module.init()
    _say(channel, {"ready": True})
    for line in sys.stdin:
        try:
            _say(channel, _told(module.run(json.loads(line))))
        except Exception:
            traceback.print_exc()
            _say(channel, {"error": True})
    getattr(module, "shutdown", lambda: None)()


def _told(result: Any) -> dict[str, Any]:
    if hasattr(result, "to_csv"):
        rows = result.to_csv(sep=" ", header=False, index=False).splitlines()
    else:
        rows = [str(row) for row in result]
    return {"rows": rows, "count": len(result)}


def _say(channel: TextIO, answer: dict[str, Any]) -> None:
    channel.write(json.dumps(answer) + "\n")
    channel.flush()


if __name__ == "__main__":
    if sys.argv[1] == WORKER:
        with os.fdopen(int(sys.argv[3]), "w") as answers:
            serve(sys.argv[2], answers)
    else:
        sys.exit(main(sys.argv[1:]))
