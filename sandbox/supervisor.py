"""Brings servers up together, keeps account of their processes, and takes them down again."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from sandbox import environment, keys, ports, processes, seed, tools
from sandbox.layout import OUR_OWN, WORKERS, Endpoints, Layout, SandboxError, Unreachable
from sandbox.logs import end_of, keep_small
from sandbox.processes import Record, Records
from sandbox.services.base import Service
from sandbox.services.catalogue import WITH_WORKERS

START_SECONDS = 90.0
_LOOK_SECONDS = 0.05
_WAS_UP = "was up"
# Long enough to save large unfinished uploads; `down` is in more of a hurry.
_PATIENT_SECONDS = 15.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Arrival:
    """How a server came to be up."""

    name: str
    how: str
    """`started`, `recovered` (it had died; its state is the old one), or `was up`."""
    url: str
    seconds: float


class Supervisor:
    """The servers of one sandbox. Commands of different processes wait for each other."""

    def __init__(self, layout: Layout, say: Say, catalogue: Mapping[str, Service] = WITH_WORKERS) -> None:
        """`say` receives one line whenever there is something to tell."""
        self._layout = layout
        self._say = say
        self._catalogue = catalogue
        self._records = Records(layout)
        self._writing = threading.Lock()

    def up(self, services: Sequence[Service], *, brief: bool = False) -> list[Arrival]:
        """Have these servers up, healthy and filled. Those that are up already are left alone, and not told if brief.

        Raises:
            Unreachable: Some died or stayed silent; each is named with the end of its log. Others stay up.
        """
        tools.ensure(self._layout, [tool for service in services for tool in service.tools], self._say)
        with self._locked():
            endpoints = self._settle(services)
            services = [*services, *self._outdated(services, _digest(endpoints, self._layout))]
            with ThreadPoolExecutor(max_workers=len(services)) as pool:
                outcomes = list(pool.map(lambda service: self._try(service, endpoints, brief), services))
        failures = [outcome for outcome in outcomes if isinstance(outcome, SandboxError)]
        if failures:
            raise Unreachable("\n".join(map(str, failures)))
        return [outcome for outcome in outcomes if isinstance(outcome, Arrival)]

    def down(self) -> list[str]:
        """End everything this sandbox started, jobs included, and nothing else. Says what was running."""
        with self._locked():
            stopped = [name for name in self._records.names() if self._alive(name)]
            self._stop(["workers"])
            self._stop([name for name in self._records.names() if name != "workers"])
            self._end_jobs()
            processes.end_by_force(processes.marked(self._layout))
        return stopped

    def halt(self, service: Service) -> None:
        """Stop one server in order, keeping its state, its ports and its record."""
        with self._locked():
            record = self._records.get(service.name)
            if record is None:
                raise Unreachable(f"{service.name} is not up: start it with `python -m sandbox up`")
            processes.stop([record], _PATIENT_SECONDS)

    def erase(self) -> None:
        """Forget all state, keys and logs of a sandbox that is down. The tools stay."""
        for path in self._layout.root.iterdir() if self._layout.root.exists() else ():
            if path == self._layout.tools or path.name in (".gitignore", ".lock"):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _try(self, service: Service, endpoints: Endpoints, brief: bool) -> Arrival | SandboxError:
        """Failures are returned, so that each server's fate is known before any is told."""
        try:
            arrival = self._bring_up(service, endpoints)
        except SandboxError as exc:
            return exc
        if brief and arrival.how == _WAS_UP:
            return arrival
        self._say(f"{arrival.name:<10} {arrival.how:<9}  {arrival.url}  ({arrival.seconds:.1f} s)")
        return arrival

    def _bring_up(self, service: Service, endpoints: Endpoints) -> Arrival:
        began = time.monotonic()
        settings = _digest(endpoints, self._layout)
        record = self._records.get(service.name)
        how = _WAS_UP
        child: subprocess.Popen[bytes] | None = None
        mark = 0
        if (
            record is None
            or not record.process()
            or (service.needs_endpoints and record.settings != settings)
        ):
            how = "recovered" if record and not record.process() else "started"
            if record:
                processes.stop([record], service.stop_seconds)
                # The first thread of a program may be gone while others still hold what it listened on.
                ports.wait_free(endpoints.ports[name] for name in service.ports)
            log = self._layout.log_of(service.name)
            keep_small(log)
            mark = log.stat().st_size if log.exists() else 0
            child, record = self._start(service, endpoints, settings)
        self._await_health(service, endpoints, record, child, mark)
        if service.seed and not record.seeded:
            self._fill(service, endpoints)
        return Arrival(service.name, how, service.url(endpoints), time.monotonic() - began)

    def _start(
        self, service: Service, endpoints: Endpoints, settings: str
    ) -> tuple[subprocess.Popen[bytes], Record]:
        command = service.command(self._layout, endpoints)
        try:
            child, record = processes.start(
                command, self._layout.log_of(service.name), settings, self._layout.root
            )
        except OSError as exc:
            raise Unreachable(f"{service.name} does not start: {command.argv[0]}: {exc.strerror}") from None
        with self._writing:
            self._records.put(service.name, record)
        return child, record

    def _await_health(
        self,
        service: Service,
        endpoints: Endpoints,
        record: Record,
        child: subprocess.Popen[bytes] | None,
        mark: int,
    ) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not service.healthy(self._layout, endpoints):
            if (child and child.poll() is not None) or not record.process():
                code = f" (exit code {child.returncode})" if child else ""
                raise Unreachable(self._obituary(service.name, f"died{code}", mark))
            if time.monotonic() > deadline:
                raise Unreachable(
                    self._obituary(service.name, f"is silent after {START_SECONDS:.0f} s", mark)
                )
            time.sleep(_LOOK_SECONDS)
        if not record.process():
            # Something else answers on its port.
            raise Unreachable(self._obituary(service.name, "died", mark))

    def _obituary(self, name: str, what: str, mark: int) -> str:
        log = self._layout.log_of(name)
        lines = "".join(f"\n  {line}" for line in end_of(log, 20, mark))
        return f"{name} {what}; the end of {log}:{lines or ' (it said nothing)'}"

    def _fill(self, service: Service, endpoints: Endpoints) -> None:
        command = [sys.executable, "-m", "sandbox.seed", service.name]
        env = environment.own(self._layout, endpoints)
        done = subprocess.run(  # noqa: S603 - our own module, no shell
            command, env=env, cwd=self._layout.checkout, capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise Unreachable(f"{service.name} is up but cannot be filled: {last}")
        with self._writing:
            self._records.mark_seeded(service.name)

    def _settle(self, services: Sequence[Service]) -> Endpoints:
        """Ports, keys and the files made from them, before anything starts."""
        ready = self._layout.root
        ready.mkdir(parents=True, exist_ok=True)
        for folder in (self._layout.state, self._layout.logs, self._layout.faults):
            folder.mkdir(exist_ok=True)
        known = Endpoints.load(self._layout) if self._layout.endpoints_file.exists() else None
        endpoints = self._with_ports(known, services) if known else self._first()
        if endpoints != known:
            endpoints.save(self._layout)
        keys.refresh(endpoints)
        environment.write_all(self._layout, endpoints)
        seed.copy_examples(self._layout)
        return endpoints

    def _first(self) -> Endpoints:
        # Private sandboxes leave the usual ports to the checkout's own.
        usual = self._layout.root == self._layout.checkout / ".sandbox"
        return keys.generate(
            self._layout, ports.assign({name: port if usual else None for name, port in ports.USUAL.items()})
        )

    def _with_ports(self, endpoints: Endpoints, services: Sequence[Service]) -> Endpoints:
        starting = [port for service in services if not self._alive(service.name) for port in service.ports]
        held = [name for name in endpoints.ports if name not in starting]
        given = ports.assign(dict.fromkeys(ports.USUAL) | endpoints.ports, held=held)
        for name, port in given.items():
            if (old := endpoints.ports.get(name)) not in (None, port):
                self._say(f"port {old} of {name} is taken: it gets {port}")
        return replace(endpoints, ports=given)

    def _outdated(self, services: Sequence[Service], settings: str) -> list[Service]:
        """Living servers that were not asked for, but read endpoints that have changed since."""
        asked = {service.name for service in services}
        return [
            service
            for name in self._records.names()
            if name not in asked and self._alive(name)
            if (service := self._catalogue.get(name)) and service.needs_endpoints
            if (record := self._records.get(name)) and record.settings != settings
        ]

    def _alive(self, name: str) -> bool:
        record = self._records.get(name)
        return record is not None and record.process() is not None

    def _stop(self, names: Sequence[str]) -> None:
        records = [record for name in names if (record := self._records.get(name))]
        graces = [service.stop_seconds for name in names if (service := self._catalogue.get(name))]
        processes.stop(records, max(graces, default=1.0))
        for name in names:
            self._records.forget(name)

    def _end_jobs(self) -> None:
        """Jobs outlive their server on purpose, but not the sandbox."""
        homes = [self._layout.state / name for name in OUR_OWN if (self._layout.state / name).exists()]
        if homes:
            from sandbox.servers.machine import Machines

            with ThreadPoolExecutor(max_workers=len(homes)) as pool:
                list(pool.map(lambda home: Machines(home).stop_all(grace_seconds=0.5), homes))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._layout.root.mkdir(parents=True, exist_ok=True)
        ignored = self._layout.root / ".gitignore"
        if not ignored.exists():
            ignored.write_text("*\n")
        with (self._layout.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._records = Records(self._layout)
            yield


def _digest(endpoints: Endpoints, layout: Layout) -> str:
    added = {name: environment.added(name, layout) for name in WORKERS}
    stored = json.dumps([asdict(endpoints), added], sort_keys=True, default=str)
    return hashlib.sha256(stored.encode()).hexdigest()[:16]
