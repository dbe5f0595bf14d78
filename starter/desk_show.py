"""How the desk looks: as many lines as the terminal has, none longer than it is wide, what matters first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from contracts.errors import printable
from contracts.runs import RunStatus, StagePhase, StageStatus
from starter.clocks import seconds_so_far, taken
from starter.gate_show import questions
from starter.moving import Moving, egress_so_far
from starter.show import STYLES, error_of, headline, note_of

Line = list[Segment]
ORDER = (
    StagePhase.WAITING,
    StagePhase.FAILED,
    StagePhase.RUNNING,
    StagePhase.CANCELLED,
    StagePhase.SUCCEEDED,
    StagePhase.PENDING,
    StagePhase.SKIPPED,
)
"""Where there is no room for all: which stages a person needs to see first."""
KIND_FROM, WHERE_FROM, BAR_FROM = 100, 60, 50
"""Columns of a terminal from which on these are shown."""
BARS = 4
FEWEST_STAGES = 3


@dataclass(frozen=True)
class Frame:
    """Everything that is drawn at one moment."""

    now: RunStatus | None
    """None before the run has answered."""
    moving: tuple[Moving, ...] = ()
    keys: dict[str, str] | None = None
    typing: str = ""
    """A label and what stands there by now; it takes the place of the keys."""
    told: str = ""
    tail: tuple[str, tuple[str, ...]] | None = None
    """A title and the last lines of a log; None where nobody asked for it."""
    refused: bool = False
    busy: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Fill the screen."""
        width, height = options.max_width, options.height or console.height
        lines = self._lines(console, options.update(width=width, height=None), height)
        for line in lines[:height]:
            yield from Segment.adjust_line_length(line, width)
            yield Segment.line()

    def _lines(self, console: Console, options: ConsoleOptions, height: int) -> list[Line]:
        foot = console.render_lines(self._foot(options.max_width), options, pad=False)
        # Of a long line that is being typed its end.
        foot = [*foot[:1], *foot[1:][-2:]]
        if self.now is None:
            return [*console.render_lines(Text("asking how it stands", "dim"), options, pad=False), *foot]
        head = console.render_lines(self._head(self.now, options.max_width), options, pad=False)
        bars = console.render_lines(_bars(self.moving, options.max_width), options, pad=False)[: height // 4]
        room = max(0, height - len(head) - len(foot) - len(bars) - FEWEST_STAGES - 1)
        attention = _cut(console.render_lines(_attention(self.now), options, pad=False), room * 2 // 3)
        tail = console.render_lines(self._log(), options, pad=False)
        tail = tail[:1] + tail[1:][-max(0, room - len(attention) - 3) :] if room - len(attention) > 3 else []
        room = max(1, height - sum(map(len, (head, foot, bars, attention, tail))))
        stages = console.render_lines(_stages(self.now, room, options.max_width), options, pad=False)
        body = [*head, *stages[:room], *bars, *attention, *tail]
        return [*body[: height - len(foot)], *foot]

    def _head(self, now: RunStatus, width: int) -> RenderableType:
        over = sum(stage.phase.ended for stage in now.stages.values())
        words = [f"{over} of {len(now.stages)} stages over"]
        waiting = now.waiting_for
        words += [f"waits for {waiting}"] if waiting else []
        words += [egress_so_far(now, list(self.moving))]
        line = Table.grid(padding=(0, 1, 0, 0), expand=True)
        if width >= BAR_FROM:
            line.add_column(width=16)
            line.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
            bar = ProgressBar(total=max(1, len(now.stages)), completed=over)
            line.add_row(bar, Text("  ".join(filter(None, words)), "dim"))
        else:
            line.add_row(_one_line("  ".join(filter(None, words)), "dim"))
        title = headline(now)
        title.no_wrap, title.overflow = True, "ellipsis"
        return Group(title, line)

    def _log(self) -> RenderableType:
        if self.tail is None:
            return Group()
        title, lines = self.tail
        return Group(_one_line(title, "bold"), *(_one_line(f"  {line}", "dim") for line in lines))

    def _foot(self, width: int) -> RenderableType:
        told = _one_line(self.told, "red" if self.refused else "green")
        if self.typing:
            # What is typed last is what a person looks at.
            text = Text.assemble((self.typing, "bold"), ("_", "blink"))
            return Group(told, text)
        return Group(told, self._keys(width))

    def _keys(self, width: int) -> Text:
        """The keys in two rows at most, none of them broken."""
        rows, used = Text(no_wrap=True, overflow="ellipsis"), 0
        for key, word in (self.keys or {}).items():
            needed = len(word) + 6
            if used and used + needed > width:
                rows, used = rows.append("\n"), 0
            rows.append(f" {key} ", "reverse").append(f" {word}  ")
            used += needed
        if self.busy:
            rows.append("asking ...", "yellow")
        return Text("\n", no_wrap=True, overflow="ellipsis").join(rows.split("\n")[:2])


def _stages(now: RunStatus, room: int, width: int) -> RenderableType:
    """A row per stage; where there is no room for all, what matters, and the rest counted."""
    stages = list(now.stages.values())
    if len(stages) + 1 <= room:
        return _table(stages, width)
    ranked = sorted(stages, key=_rank)
    shown = max(0, room - 2)
    left = Counter(stage.phase for stage in ranked[shown:])
    counts = ", ".join(f"{left[phase]} {phase.value.lower()}" for phase in ORDER if left[phase])
    return Group(_table(ranked[:shown], width), _one_line(f"and {len(stages) - shown} more: {counts}", "dim"))


def _rank(stage: StageStatus) -> tuple[int, float]:
    """What matters more comes first; of what is over, what ended last."""
    ended = stage.ended_at.timestamp() if stage.ended_at else 0.0
    return ORDER.index(stage.phase), -ended


def _table(stages: Sequence[StageStatus], width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, expand=True)
    kind, where = width >= KIND_FROM, width >= WHERE_FROM
    table.add_column("stage", no_wrap=True, overflow="ellipsis", max_width=width * 3 // 10)
    for title in ("kind",) * kind + ("where",) * where:
        table.add_column(title, no_wrap=True, overflow="ellipsis", max_width=14)
    table.add_column("state", no_wrap=True, min_width=7)
    table.add_column("time", justify="right", no_wrap=True, min_width=5)
    table.add_column("note", no_wrap=True, overflow="ellipsis", ratio=1)
    for stage in stages:
        cells = [stage.kind] * kind + [stage.where] * where
        state = Text(stage.phase.value, STYLES[stage.phase])
        table.add_row(stage.name, *cells, state, taken(seconds_so_far(stage)), _doing(stage))
    return table


def _doing(stage: StageStatus) -> RenderableType:
    """What a stage does, and how far it is where that is known."""
    words = printable(note_of(stage)).replace("\n", " ")
    job, fanout = stage.job, stage.fanout
    if stage.phase is StagePhase.RUNNING and fanout and fanout.total:
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_row(
            ProgressBar(total=fanout.total, completed=fanout.succeeded + fanout.failed, width=10),
            _one_line(words),
        )
        return line
    if stage.phase is StagePhase.RUNNING and job:
        times = {"queued": job.queued_seconds, "ran": job.run_seconds}
        spent = [f"{word} {taken(seconds)}" for word, seconds in times.items() if seconds]
        words = ", ".join([words, *spent])
    return _one_line(words)


def _bars(moving: Sequence[Moving], width: int) -> RenderableType:
    """A bar per transfer under way."""
    if not moving:
        return Group()
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False, expand=True)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=width * 3 // 10)
    if width >= BAR_FROM:
        table.add_column(width=max(8, width // 5))
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for one in moving[:BARS]:
        bar = ProgressBar(total=max(1, one.status.bytes_total), completed=one.bytes_done)
        cells = [bar] if width >= BAR_FROM else []
        table.add_row(Text(f"-> {one.status.artifact}"), *cells, Text(_flow(one)))
    more = len(moving) - BARS
    return Group(table, *([_one_line(f"and {more} more transfers", "dim")] if more > 0 else []))


def _flow(one: Moving) -> str:
    now = one.status
    share = f"{one.bytes_done / now.bytes_total:4.0%} " if now.listed and now.bytes_total else ""
    total = f"{_size(now.bytes_total)}{'' if now.listed else ' or more'}"
    words = [f"{share}{_size(one.bytes_done)} of {total}"]
    words += [f"{now.mb_per_s:.1f} MB/s"] if now.mb_per_s else []
    words += [f"{taken(now.eta_seconds)} left"] if now.eta_seconds else []
    words += [now.phase.lower()] if now.phase != "RUNNING" else []
    return ", ".join(words)


def _size(count: int) -> str:
    """Bytes as vendors bill them, in thousands."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _attention(now: RunStatus) -> RenderableType:
    """What a person is asked, and what went wrong where nothing has been decided yet."""
    failed = [stage for stage in now.stages.values() if stage.error and not stage.asks]
    return Group(*questions(now), *map(error_of, failed), *(Text(note, "red") for note in now.notes))


def _cut(lines: list[Line], room: int) -> list[Line]:
    """At most so many lines, saying that there are more."""
    if len(lines) <= room:
        return lines
    return [*lines[: max(0, room - 1)], [Segment("  ... more: python -m starter status RUN")]] if room else []


def _one_line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")
