from __future__ import annotations

from sandbox import ports
from tests.sandbox.fake_servers import listening


def test_a_free_port_is_given_as_wanted() -> None:
    wanted = ports.assign({"aws": None})["aws"]
    assert ports.assign({"aws": wanted}) == {"aws": wanted}


def test_a_taken_port_is_replaced() -> None:
    wanted = ports.assign({"aws": None})["aws"]
    with listening(wanted):
        assert ports.assign({"aws": wanted})["aws"] != wanted


def test_a_port_our_own_server_holds_is_kept() -> None:
    wanted = ports.assign({"aws": None})["aws"]
    with listening(wanted):
        assert ports.assign({"aws": wanted}, held=["aws"]) == {"aws": wanted}


def test_no_port_is_given_twice() -> None:
    given = ports.assign(dict.fromkeys(f"server{number}" for number in range(50)))
    assert len(set(given.values())) == 50
