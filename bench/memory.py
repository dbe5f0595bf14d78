"""What the workers hold in memory: at rest, and at most while something is under way."""

import threading
from types import TracebackType

import psutil

from bench.ground import Ground
from bench.numbers import Numbers

MIB = 2**20
LOOK_SECONDS = 0.02


def at_rest(ground: Ground, numbers: Numbers, when: str) -> None:
    """Keep what each worker holds now."""
    for name, process in ground.workers().items():
        numbers.add(f"memory {when}, {name} worker", process.memory_info().rss / MIB, "MiB")


class Watched:
    """What one worker spends in a block: CPU, and memory above where it stood at the start."""

    def __init__(self, process: psutil.Process) -> None:
        """Watch this process."""
        self._process = process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watched":
        """Begin to look."""
        self._before = self._peak = self._process.memory_info().rss
        self._cpu = self._spent()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the peak and the sum."""
        self._stop.set()
        self._thread.join()
        self.cpu_seconds = self._spent() - self._cpu
        self.risen_mib = (self._peak - self._before) / MIB

    def _look(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def _spent(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)
