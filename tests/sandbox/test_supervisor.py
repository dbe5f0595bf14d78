from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from sandbox.layout import Unreachable
from sandbox.processes import Records, birth
from tests.sandbox.fake_servers import Desk, fake_service, kill, listening, lives, open_desk

__all__ = ["open_desk"]

CHILD = """
child = subprocess.Popen(['sleep', '60'])
pathlib.Path(f'child{starts.read_text()}').write_text(str(child.pid))
"""
DETACHED = CHILD.replace("'60']", "'60'], start_new_session=True")

OpenDesk = Callable[..., Desk]


def pid_of(desk: Desk, name: str) -> int:
    record = Records(desk.layout).get(name)
    assert record is not None
    return record.pid


def test_servers_start_on_ports_of_their_own(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one", port="gcs"), fake_service("two", port="aws"))
    arrivals = desk.up()
    assert {arrival.how for arrival in arrivals.values()} == {"started"}
    assert arrivals["one"].url != arrivals["two"].url


def test_a_server_that_is_up_is_left_alone(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one"))
    desk.up()
    before = pid_of(desk, "one")
    assert desk.up()["one"].how == "was up"
    assert pid_of(desk, "one") == before


def test_whoever_is_brief_tells_of_what_was_started_only(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one"), fake_service("two", port="aws"))
    desk.up("one")
    del desk.said[:]
    assert desk.up(brief=True)["one"].how == "was up"
    assert [line.split()[0] for line in desk.said] == ["two"]


def test_a_killed_server_comes_back_on_its_old_state_and_port(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one"))
    first = desk.up()["one"]
    kill(pid_of(desk, "one"))
    second = desk.up()["one"]
    assert (second.how, second.url) == ("recovered", first.url)
    assert desk.starts("one") == 2


def test_state_and_ports_survive_down(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one"))
    first = desk.up()["one"]
    desk.down()
    second = desk.up()["one"]
    assert (second.how, second.url, desk.starts("one")) == ("started", first.url, 2)


def test_a_taken_port_is_replaced_and_recorded(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one"))
    desk.up()
    old = desk.endpoints.ports["gcs"]
    desk.down()
    with listening(old):
        desk.up()
    new = desk.endpoints.ports["gcs"]
    assert new != old
    assert f"port {old} of gcs is taken: it gets {new}" in desk.said


def test_a_server_that_read_the_endpoints_starts_again_when_a_port_changes(open_desk: OpenDesk) -> None:
    desk = open_desk(
        fake_service("store", port="gcs"), fake_service("ours", port="aws", needs_endpoints=True)
    )
    desk.up()
    old = desk.endpoints.ports["gcs"]
    kill(pid_of(desk, "store"))
    with listening(old):
        desk.up("store")
    assert desk.starts("ours") == 2


def test_a_worker_starts_again_when_a_person_adds_to_its_settings(open_desk: OpenDesk) -> None:
    desk = open_desk(
        fake_service("store", port="gcs"), fake_service("ours", port="aws", needs_endpoints=True)
    )
    desk.up()
    desk.layout.settings.mkdir()
    (desk.layout.settings / "aws.env").write_text("CAUSEWAY_MACHINES=/mine.yaml\n")
    arrivals = desk.up()
    assert {name: arrival.how for name, arrival in arrivals.items()} == {"store": "was up", "ours": "started"}


def test_a_server_that_dies_is_named_with_the_end_of_its_log(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("good", port="aws"), fake_service("bad", extra="sys.exit('no more paper')"))
    with pytest.raises(
        Unreachable, match=r"bad died \(exit code 1\); the end of .*bad\.log:\n  no more paper$"
    ):
        desk.up()
    assert desk.up("good")["good"].how == "was up"


def test_the_log_of_an_earlier_start_is_not_blamed(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("bad", extra="sys.exit(f'start {starts.read_text()}')"))
    for _ in range(2):
        with pytest.raises(Unreachable) as raised:
            desk.up()
    assert "start 2" in str(raised.value)
    assert "start 1" not in str(raised.value)


def test_a_program_that_is_missing_is_named(open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    desk = open_desk(fake_service("one"))
    with pytest.raises(Unreachable, match="one does not start: /nowhere/python: No such file"):
        desk.up()


def test_down_leaves_no_process_of_a_servers_family(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one", extra=CHILD))
    desk.up()
    grandchild = psutil.Process(int((desk.layout.state / "one" / "child1").read_text()))
    assert desk.down() == ["one"]
    assert not lives(grandchild)


def test_down_finds_what_left_its_servers_session(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one", extra=DETACHED))
    desk.up()
    job = psutil.Process(int((desk.layout.state / "one" / "child1").read_text()))
    kill(pid_of(desk, "one"))
    desk.down()
    assert not lives(job)


def test_what_a_killed_server_left_is_ended_before_it_starts_again(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one", extra=CHILD))
    desk.up()
    orphan = psutil.Process(int((desk.layout.state / "one" / "child1").read_text()))
    kill(pid_of(desk, "one"))
    desk.up()
    assert not lives(orphan)


def test_a_process_that_was_given_an_old_id_is_never_ended(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one"))
    desk.up()
    desk.down()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        stored = {"one": {"pid": stranger.pid, "born": birth(stranger.pid) - 1}}
        desk.layout.processes_file.write_text(json.dumps(stored))
        assert desk.down() == []
        assert stranger.poll() is None
        stranger.kill()


def test_a_birth_is_told_by_a_clock_that_nobody_sets() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        born = birth(child.pid)
        child.kill()
    assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - born < 60


def test_a_server_that_ignores_sigterm_is_ended_by_force(open_desk: OpenDesk) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    desk = open_desk(fake_service("one", extra=deaf, stop_seconds=0.2))
    desk.up()
    server = psutil.Process(pid_of(desk, "one"))
    assert desk.down() == ["one"]
    assert not lives(server)


def test_down_without_a_sandbox_stops_nothing(open_desk: OpenDesk) -> None:
    assert open_desk(fake_service("one")).down() == []


def test_a_sandbox_keeps_itself_out_of_git_and_its_keys_private(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one"))
    desk.up()
    root = desk.layout.root
    assert (root / ".gitignore").read_text() == "*\n"
    private = [root / "endpoints.json", root / "tls" / "server.key", *sorted((root / "env").iterdir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_erase_forgets_keys_and_keeps_tools(open_desk: OpenDesk) -> None:
    desk = open_desk(fake_service("one"))
    desk.up()
    desk.down()
    (desk.layout.root / "tools").mkdir()
    desk.layout = type(desk.layout)(desk.layout.root, desk.layout.root / "tools", desk.layout.checkout)
    desk.supervisor.erase()
    assert sorted(path.name for path in desk.layout.root.iterdir()) == [".gitignore", ".lock", "tools"]
