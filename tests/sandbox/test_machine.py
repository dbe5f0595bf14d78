from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox.layout import Layout
from sandbox.servers.descendants import processes_of
from sandbox.servers.job_environment import job_environment, rewritten
from sandbox.servers.machine import Machines, MachineSpec, MachineStatus, UnknownMachine
from tests.house import until

FOREVER = "while true; do sleep 0.1; done"


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    monkeypatch.setenv("CAUSEWAY_SANDBOX", str(tmp_path))
    made = Machines(tmp_path / "state" / "test")
    yield made
    made.stop_all(grace_seconds=0.5)


def shell(script: str, **more: Any) -> MachineSpec:
    return MachineSpec(argv=["sh", "-c", script], **more)


def await_that(fact: Callable[[], Any]) -> None:
    until(fact, "that")


def done(machines: Machines, name: str) -> MachineStatus:
    await_that(lambda: machines.status(name).phase == "DONE")
    return machines.status(name)


def printed(machines: Machines, name: str) -> str:
    path = machines.log(name)
    return path.read_text() if path.exists() else ""


def test_a_command_runs_once_and_its_exit_and_output_are_kept(machines: Machines) -> None:
    spec = shell("echo out; echo err >&2; exit 3")
    machines.start("job", spec)
    machines.start("job", spec)
    status = done(machines, "job")
    assert (status.outcome, status.exit_code, status.error) == ("EXITED", 3, None)
    machines.start("job", spec)
    assert printed(machines, "job") == "out\nerr\n"
    assert status.ended_at is not None
    assert status.started_at is not None
    assert status.ended_at >= status.started_at >= status.created_at


def test_files_and_folders_are_there_before_the_command_and_paths_are_mapped(machines: Machines) -> None:
    home = machines.home("job")
    spec = MachineSpec(
        argv=["sh", "-c", "cat /opt/ml/in/a; pwd; echo $WHERE; ls -d /opt/ml/out"],
        env={"WHERE": "/opt/ml/out"},
        cwd="work",
        files={f"{home}/ml/in/a": "hello\n"},
        folders=["work", f"{home}/ml/out"],
        rewrite={"/opt/ml": f"{home}/ml"},
    )
    machines.start("job", spec)
    assert done(machines, "job").exit_code == 0
    assert printed(machines, "job").splitlines() == [
        "hello",
        f"{home}/work",
        f"{home}/ml/out",
        f"{home}/ml/out",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/opt/ml", "/h"),
        ("--out=/opt/ml/model", "--out=/h/model"),
        ("a:/opt/ml,/opt/ml/x", "a:/h,/h/x"),
        ("/opt/mlflow /opt/ml-2 /opt/ml.txt", "/opt/mlflow /opt/ml-2 /opt/ml.txt"),
        ("s3://bucket/opt/ml/x /data/opt/ml", "s3://bucket/opt/ml/x /data/opt/ml"),
    ],
)
def test_a_container_path_is_mapped_only_where_it_stands_by_itself(text: str, expected: str) -> None:
    assert rewritten(text, {"/opt/ml": "/h"}) == expected


def test_a_program_that_is_not_there_is_an_error_not_a_crash(machines: Machines) -> None:
    machines.start("job", MachineSpec(argv=["no-such-program"]))
    status = done(machines, "job")
    assert status.outcome == "ERROR"
    assert "no-such-program" in (status.error or "")


def test_stop_ends_a_polite_command_by_term_within_its_grace(machines: Machines) -> None:
    machines.start("job", shell(f"trap 'echo bye; exit 7' TERM; echo up; {FOREVER}"))
    await_that(lambda: "up" in printed(machines, "job"))
    machines.stop("job")
    status = done(machines, "job")
    assert (status.outcome, status.exit_code) == ("STOPPED", 7)
    assert printed(machines, "job").endswith("bye\n")


def test_stop_kills_a_stubborn_command_and_everything_it_started(machines: Machines) -> None:
    stubborn = "trap '' TERM; sleep 600 & setsid sh -c \"trap '' TERM; sleep 600\" & env -i sleep 600 &"
    machines.start("job", shell(f"{stubborn} echo up; {FOREVER}", stop_grace_seconds=0.5))
    await_that(lambda: "up" in printed(machines, "job") and len(processes_of(machines.home("job"))) >= 5)
    before = processes_of(machines.home("job"))
    machines.stop("job")
    assert done(machines, "job").outcome == "STOPPED"
    assert [
        process for process in before if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ] == []


def test_what_a_command_leaves_in_the_background_ends_with_it(machines: Machines) -> None:
    machines.start("job", shell("setsid sleep 600 & exit 0"))
    assert done(machines, "job").outcome == "EXITED"
    assert processes_of(machines.home("job")) == []


def test_a_command_over_its_time_limit_is_ended(machines: Machines) -> None:
    machines.start("job", shell("sleep 600", time_limit_seconds=0.5))
    status = done(machines, "job")
    assert status.outcome == "TIMED_OUT"
    assert processes_of(machines.home("job")) == []


def test_a_machine_survives_the_kill_of_the_process_that_started_it(
    machines: Machines, tmp_path: Path
) -> None:
    flag = tmp_path / "go-on"
    starter = (
        "import time; from pathlib import Path; from sandbox.servers.machine import Machines, MachineSpec\n"
        f"Machines(Path({str(tmp_path / 'state' / 'test')!r})).start('job', MachineSpec(argv=['sh', '-c', "
        f"'until test -e {flag}; do sleep 0.05; done; echo survived']))\n"
        "time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", starter], cwd=Layout.from_environment().checkout)
    await_that(lambda: machines.home("job").exists() and machines.status("job").phase == "RUNNING")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert machines.status("job").phase == "RUNNING"
    flag.touch()
    assert done(machines, "job").outcome == "EXITED"
    assert printed(machines, "job") == "survived\n"


def test_a_machine_whose_runner_is_killed_is_lost_and_so_are_its_processes(machines: Machines) -> None:
    machines.start("job", shell(f"sleep 600 & {FOREVER}"))
    await_that(lambda: len(processes_of(machines.home("job"))) >= 2)
    home = str(machines.home("job"))
    (runner,) = [found for found in psutil.process_iter(["cmdline"]) if home in (found.info["cmdline"] or [])]
    os.kill(runner.pid, signal.SIGKILL)
    await_that(lambda: machines.status("job").phase == "DONE")
    assert machines.status("job").outcome == "LOST"
    assert processes_of(machines.home("job")) == []


@pytest.mark.parametrize(
    ("fault", "outcome", "exit_code"),
    [("fail", "EXITED", 1), ("preempt", "PREEMPTED", -signal.SIGKILL)],
)
def test_a_machine_misbehaves_as_asked(machines: Machines, fault: Any, outcome: str, exit_code: int) -> None:
    machines.start("job", shell("sleep 600", fault=fault))
    status = done(machines, "job")
    assert (status.outcome, status.exit_code) == (outcome, exit_code)


def test_a_hanging_machine_ignores_its_command_until_it_is_stopped(machines: Machines) -> None:
    machines.start("job", shell("exit 0", fault="hang"))
    await_that(lambda: machines.status("job").phase == "RUNNING")
    time.sleep(0.5)
    assert machines.status("job").phase == "RUNNING"
    machines.stop("job")
    assert done(machines, "job").outcome == "STOPPED"


def test_a_job_sees_no_credentials_of_the_caller_and_a_home_of_its_own(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "AZURE_CLIENT_SECRET",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "TEMPORAL_API_KEY",
    ):
        monkeypatch.setenv(name, "do-not-show-me")
    monkeypatch.setenv("PIP_FIND_LINKS", "somewhere")
    machines.start("job", shell("env", env={"MINE": "1"}))
    done(machines, "job")
    seen = dict(line.split("=", 1) for line in printed(machines, "job").splitlines() if "=" in line)
    assert "do-not-show-me" not in printed(machines, "job")
    assert not [name for name in seen if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "TEMPORAL_"))]
    home = str(machines.home("job"))
    assert (seen["HOME"], seen["PIP_TARGET"], seen["MINE"], seen["PIP_FIND_LINKS"]) == (
        home,
        f"{home}/site",
        "1",
        "somewhere",
    )


def test_jobs_run_with_the_tools_made_for_them_and_the_callers_packages_settings(tmp_path: Path) -> None:
    layout = dataclasses.replace(Layout.from_environment(), tools=tmp_path)
    caller = {"PATH": "/usr/bin", "PIP_INDEX_URL": "index", "PIP_USER": "1", "SSL_CERT_FILE": "ca"}
    made = job_environment(tmp_path / "home", layout, caller)
    assert made["PATH"] == f"{tmp_path}/jobs/bin:/usr/bin"
    assert (made["PIP_INDEX_URL"], made["SSL_CERT_FILE"]) == ("index", "ca")
    assert "PIP_USER" not in made


def test_stop_all_ends_every_machine_and_says_so(machines: Machines) -> None:
    for name in ("a", "b"):
        machines.start(name, shell(f"trap '' TERM; {FOREVER}"))
    await_that(lambda: all(machines.status(name).phase == "RUNNING" for name in ("a", "b")))
    machines.stop_all(grace_seconds=0.2)
    assert [machines.status(name).outcome for name in machines.names()] == ["STOPPED", "STOPPED"]
    assert processes_of(machines.home("a")) + processes_of(machines.home("b")) == []


def test_a_machine_nobody_started_is_unknown_and_a_name_cannot_leave_the_folder(machines: Machines) -> None:
    with pytest.raises(UnknownMachine):
        machines.status("nobody")
    with pytest.raises(ValueError, match="cannot name a machine"):
        machines.home("../x")
