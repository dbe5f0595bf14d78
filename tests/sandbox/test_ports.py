from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

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


def test_a_port_that_is_let_go_of_a_moment_later_is_waited_for() -> None:
    port = ports.assign({"aws": None})["aws"]
    with ThreadPoolExecutor(1) as pool:
        with listening(port):
            waiting = pool.submit(ports.wait_free, [port])
            time.sleep(0.3)
            assert not waiting.done()
        waiting.result(ports.LAST_BREATH_SECONDS)
    assert ports.is_free(port)
