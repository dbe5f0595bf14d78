"""What the workers hold in memory: at rest, and at most while something is under way."""

import threading
from types import TracebackType

from bench.ground import Ground
from bench.numbers import Numbers

MIB = 2**20
LOOK_SECONDS = 0.02


def at_rest(ground: Ground, numbers: Numbers, when: str) -> None:
    """Keep what each worker holds now."""
    for name, process in ground.workers().items():
        numbers.add(f"memory {when}, {name} worker", process.memory_info().rss / MIB, "MiB")


class Watch:
    """Keeps how far each worker rises above where it stood at the start of the block."""

    def __init__(self, ground: Ground, numbers: Numbers) -> None:
        """Watch the workers that live now."""
        self._processes = ground.workers()
        self._numbers = numbers
        self._stop = threading.Event()
        self._before: dict[str, int] = {}
        self._peak: dict[str, int] = {}
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        """Begin to look."""
        self._before = self._peak = self._now()
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the peaks."""
        self._stop.set()
        self._thread.join()
        for name, peak in self._peak.items():
            risen = (peak - self._before[name]) / MIB
            self._numbers.add(f"memory above rest while 64 MiB go around, {name} worker", risen, "MiB")

    def _look(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._peak = {name: max(self._peak[name], held) for name, held in self._now().items()}

    def _now(self) -> dict[str, int]:
        return {name: process.memory_info().rss for name, process in self._processes.items()}
