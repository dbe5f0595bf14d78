"""The desk of a person beside a run: looks at it, draws it, and does what the keys ask for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from rich.console import Console
from temporalio.client import Client

from contracts.approvals import Approval, Gate
from contracts.decisions import StageDecision
from contracts.runs import RunStatus, StagePhase
from starter.deciding import UPDATES, user
from starter.desk_show import Frame
from starter.exits import Exit, StarterError
from starter.line import Line, keys_of
from starter.moving import Moving, under_way
from starter.tail import Tail
from starter.temporal import decide, tell
from starter.terminal import Terminal
from workflows.pipeline import PipelineWorkflow

POLL_SECONDS = 0.5
MOVING_SECONDS = 1.5
"""Between two looks at transfers: each is a question to a workflow that has better to do."""
FRESH_SECONDS = 3.0
"""What was said so shortly before the end was hardly read."""
Look = Callable[[], Coroutine[Any, Any, RunStatus]]


class Desk:
    """One person, one run."""

    def __init__(self, client: Client, identity: str, out: Console, look: Look) -> None:
        """Sit down; `look` asks how the run stands."""
        self._client, self._identity, self._out, self._look = client, identity, out, look
        self._typed: asyncio.Queue[str] = asyncio.Queue()
        self._now: RunStatus | None = None
        self._moving: list[Moving] = []
        self._line: Line | None = None
        self._told = ""
        self._told_at = 0.0
        self._refused = False
        self._deciding: asyncio.Task[str] | None = None
        self._tail = Tail(client, identity, self._redraw)
        self._following: asyncio.Task[None] | None = None

    async def watch(self) -> RunStatus:
        """Return when the run has ended.

        Raises:
            StarterError: the person left, or nobody answers for the run any more.
        """
        looking = asyncio.create_task(self._keep_looking())
        try:
            with Terminal(self._out, self._typed.put_nowait, self.way_back) as terminal:
                while not looking.done():
                    terminal.show(self._frame())
                    await self._heard()
                    self._decided()
            return looking.result()
        finally:
            await self._end(looking)

    @property
    def way_back(self) -> str:
        """What is said to a person who leaves."""
        return f"the run goes on; return with: python -m starter watch {self._identity}"

    async def _keep_looking(self) -> RunStatus:
        clock, asked = asyncio.get_running_loop().time, 0.0
        while True:
            now = await self._look()
            if now.phase.ended:
                self._moving = []
            elif clock() - asked >= MOVING_SECONDS:
                self._moving, asked = await under_way(self._client, self._identity), clock()
            self._now = now
            self._redraw()
            if now.phase.ended:
                return now
            await asyncio.sleep(POLL_SECONDS)

    def _redraw(self) -> None:
        self._typed.put_nowait("")

    def _frame(self) -> Frame:
        line = self._line
        tail = (self._tail.title, tuple(self._tail.lines)) if self._following else None
        typing = f"{line.label}: {line.text}" if line else ""
        busy = self._deciding is not None
        return Frame(
            self._now, tuple(self._moving), self._keys(), typing, self._told, tail, self._refused, busy
        )

    async def _heard(self) -> None:
        """Take the keys that came, or let a moment pass, so that clocks go on."""
        try:
            text = await asyncio.wait_for(self._typed.get(), POLL_SECONDS)
        except TimeoutError:
            return
        self._drop_answered()
        for key in keys_of(text):
            if self._line:
                self._type(self._line, key)
            else:
                self._press(key.lower())

    def _drop_answered(self) -> None:
        """Nobody needs to type an answer that another person has given."""
        if self._line and self._now and self._line.stage in self._now.stages:
            held = self._now.stages[self._line.stage]
            if held.phase is not StagePhase.WAITING:
                self._say(f"{held.name} waits no longer: it is {held.phase.value}")
                self._line = None

    def _type(self, line: Line, key: str) -> None:
        given = line.feed(key)
        if given is None:
            return
        self._line = None
        if given:
            line.then(line.text.strip())

    def _keys(self) -> dict[str, str]:
        """The keys that do something now."""
        keys = {}
        if self._now and not self._now.phase.ended:
            keys["p"] = "resume" if self._now.pause else "pause"
            if self._asking():
                keys["a"] = "answer"
            if self._failed():
                keys |= {"r": "retry", "s": "skip", "x": "abort"}
        return keys | {"q": "leave", "l": "hide log" if self._following else "log"}

    def _press(self, key: str) -> None:
        word = self._keys().get(key)
        if word is None:
            return
        if key == "q":
            undecided = "" if self._deciding else self._undecided()
            raise StarterError(f"\n{self.way_back}{undecided}", Exit.INTERRUPTED)
        self._say("")
        if key == "l":
            self._toggle_tail()
        elif self._deciding:
            self._say("one moment: the run has not answered yet")
        elif word == "pause":
            self._line = Line("pause; why? (Enter for no reason, Esc to go back)", self._pause)
        elif word == "resume":
            self._do(self._send(PipelineWorkflow.resume, {"by": user()}, "it goes on"))
        else:
            self._choose(word, list(self._asking()) if key == "a" else self._failed())

    def _choose(self, word: str, waiting: list[str]) -> None:
        """Go on with the one stage there is, or ask which; only the run itself asks before it begins."""

        def chosen(name: str) -> None:
            if name in waiting:
                self._about(word, name)
            else:
                self._say(f"{word} which? {name!r} does not wait; {', '.join(waiting)}", refused=True)

        if len(waiting) == 1:
            self._about(word, waiting[0])
        else:
            self._line = Line(f"{word} which of {', '.join(waiting)}", chosen)

    def _about(self, word: str, name: str) -> None:
        """Ask for what is still missing, and do it."""
        if word == "retry":
            self._decide(word, name)
        elif word == "answer":
            gate = self._asking().get(name)
            takes = gate.takes if gate else ""
            label = f"{name or 'the run'} takes {takes}"
            self._line = Line(label, lambda said: self._answer(name, said), name)
        else:
            sure = "abort the run because of" if word == "abort" else "skip"
            self._line = Line(
                f"{sure} {name}? (yes, or Esc)", lambda said: self._if_sure(word, name, said), name
            )

    def _if_sure(self, word: str, stage: str, said: str) -> None:
        if said.lower() in {"y", "yes"}:
            self._decide(word, stage)
        else:
            self._say(f"{stage} was left as it is")

    def _answer(self, stage: str, said: str) -> None:
        if said:
            approval = Approval(stage=stage, answer=said, by=user())
            self._do(decide(self._client, self._identity, PipelineWorkflow.approve, approval))

    def _decide(self, word: str, stage: str) -> None:
        decision = StageDecision(stage=stage, by=user())
        self._do(decide(self._client, self._identity, UPDATES[word], decision))

    def _pause(self, reason: str) -> None:
        payload = {"by": user(), **({"reason": reason} if reason else {})}
        self._do(self._send(PipelineWorkflow.pause, payload, "it pauses: what is in flight lands first"))

    async def _send(self, signal: Any, payload: dict[str, Any], told: str) -> str:
        await tell(self._client, self._identity, signal, payload)
        return told

    def _do(self, decision: Coroutine[Any, Any, str]) -> None:
        self._deciding = asyncio.create_task(decision)
        self._deciding.add_done_callback(lambda _: self._redraw())

    def _decided(self) -> None:
        """Say what the run answered, if it has."""
        if self._deciding is None or not self._deciding.done():
            return
        done, self._deciding = self._deciding, None
        try:
            self._say(done.result())
        except StarterError as refusal:
            self._say(refusal.message, refused=True)

    def _say(self, words: str, *, refused: bool = False) -> None:
        self._told, self._refused = words, refused
        self._told_at = asyncio.get_running_loop().time()

    def _toggle_tail(self) -> None:
        if self._following:
            self._following.cancel()
            self._following = None
        else:
            self._following = asyncio.create_task(self._tail.follow(lambda: self._now))

    def _asking(self) -> dict[str, Gate]:
        return self._now.asking if self._now else {}

    def _failed(self) -> list[str]:
        stages = self._now.stages.values() if self._now else ()
        return [stage.name for stage in stages if stage.phase is StagePhase.WAITING and not stage.asks]

    def _undecided(self) -> str:
        """What still waits for a person, and the command for it."""
        named = [" ".join(filter(None, (self._identity, name))) for name in self._asking()]
        asking = [f"approve {name} --answer ..." for name in named]
        failed = [f"retry|skip|abort {self._identity} {name}" for name in self._failed()]
        return "".join(f"\nit waits for: python -m starter {command}" for command in (*asking, *failed))

    async def _end(self, looking: asyncio.Task[RunStatus]) -> None:
        """End what goes on beside; a decision that was sent is answered first, and the answer said."""
        if self._deciding:
            await asyncio.wait([self._deciding])
            self._decided()
        tasks = [task for task in (looking, self._following) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._told and asyncio.get_running_loop().time() - self._told_at < FRESH_SECONDS:
            self._out.print(self._told, markup=False, soft_wrap=True, style="red" if self._refused else None)
