"""A check asks every connection at once; one that nobody serves, or that fails, is a line and keeps no other waiting."""

from contracts.checks import Checked, CheckRequest, CheckWanted
from contracts.errors import ErrorKind
from contracts.queues import WORKFLOW_QUEUE
from starter.check_show import check_document, exit_of
from starter.exits import Exit
from tests.workflows.play import CONNECTIONS, Play
from workflows.check import CheckWorkflow


async def checked(play: Play, *connections: str) -> Checked:
    requests = tuple(CheckRequest(connection=name) for name in connections or CONNECTIONS)
    return await play.client.execute_workflow(
        CheckWorkflow.run, CheckWanted(requests=requests), id="check:test", task_queue=WORKFLOW_QUEUE
    )


def verdicts(result: Checked) -> dict[str, list[str]]:
    return {report.connection: [line.verdict for line in report.lines] for report in result.reports}


async def test_every_connection_answers_for_itself_in_the_order_asked(play: Play) -> None:
    await play.serve(*CONNECTIONS)
    result = await checked(play)
    assert [report.connection for report in result.reports] == list(CONNECTIONS)
    assert [report.identity for report in result.reports] == list(CONNECTIONS)
    assert exit_of(result) is Exit.SUCCEEDED
    assert check_document(result)["green"] is True


async def test_a_connection_that_nobody_serves_is_one_line_with_the_command(play: Play) -> None:
    await play.serve(*CONNECTIONS)
    play.world.absent = {"causeway-gcp"}
    result = await checked(play)
    assert verdicts(result) == {
        name: ["unreachable" if name.startswith("gcp") else "passed"] for name in CONNECTIONS
    }
    (line,) = result.reports[2].lines
    assert (line.found, line.fix) == ("no worker serves causeway-gcp", "python -m workers gcp")
    assert exit_of(result) is Exit.UNREACHABLE
    assert [call.connection for call in play.world.asked("connections.check")].count("gcp/default") == 0


async def test_a_worker_that_went_after_it_was_seen_is_not_waited_for(play: Play) -> None:
    await play.serve("aws/default")
    result = await checked(play, "aws/default", "aws/eu")
    assert verdicts(result) == {"aws/default": ["passed"], "aws/eu": ["unreachable"]}
    assert result.reports[1].lines[0].fix == "python -m workers aws --connection eu"


async def test_a_worker_whose_check_fails_is_told_and_not_asked_again(play: Play) -> None:
    await play.serve(*CONNECTIONS)
    play.world.fail("connections.check", ErrorKind.UNKNOWN, "it broke", on="aws/default")
    result = await checked(play, "aws/default", "azure/default")
    assert verdicts(result) == {"aws/default": ["unreachable"], "azure/default": ["passed"]}
    assert "it broke" in result.reports[0].lines[0].found
    assert len(play.world.asked("connections.check", on="aws/default")) == 1
