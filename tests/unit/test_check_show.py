"""What a check came to, as it is shown."""

import io

import pytest
from rich.console import Console

from contracts.checks import Checked, CheckLine, CheckReport, Verdict
from starter.check_show import check_document, check_view, exit_of
from starter.checks import _requests
from starter.exits import Exit, StarterError


def report(*verdicts: Verdict) -> Checked:
    lines = tuple(
        CheckLine(
            check="read",
            subject=f"s3://{verdict}/",
            verdict=verdict,
            found="x",
            why="because",
            fix=f"mend {verdict}",
        )
        for verdict in verdicts
    )
    return Checked(reports=(CheckReport(connection="aws/default", identity="me", lines=lines),))


def shown(checked: Checked) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(check_view(checked), crop=False)
    return out.getvalue()


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (("passed", "warning", "unknown"), Exit.SUCCEEDED),
        (("passed", "failed"), Exit.FAILED),
        (("failed", "unreachable"), Exit.UNREACHABLE),
        ((), Exit.SUCCEEDED),
    ],
)
def test_the_exit_code_tells_the_worst(verdicts: tuple[Verdict, ...], code: Exit) -> None:
    assert exit_of(report(*verdicts)) is code
    assert check_document(report(*verdicts))["green"] is (code is Exit.SUCCEEDED)


def test_findings_come_first_each_with_its_reason_and_its_command() -> None:
    text = shown(report("passed", "warning", "failed"))
    assert text.index("failed") < text.index("warning") < text.index("passed")
    assert "-> mend failed" in text
    assert "-> mend passed" not in text
    assert "1 failed, 1 warning, 1 passed on 1 connection" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_command_stays_on_one_line_at_any_width() -> None:
    command = f"aws s3api put-bucket-policy --policy '{{{'long' * 40}}}'"
    line = CheckLine(check="read", subject="s3://x/", verdict="failed", found="x", why="because", fix=command)
    assert f"-> {command}\n" in shown(
        Checked(reports=(CheckReport(connection="aws/default", lines=(line,)),))
    )


def test_a_word_is_a_connection_or_a_pipeline() -> None:
    assert [request.connection for request in _requests("aws/eu", ())] == ["aws/eu"]
    assert len(_requests(None, ())) == 4
    needs = {request.connection: request.needs for request in _requests("quickstart", ())}
    assert needs["gcp/default"] is not None
    assert "tables" in needs["gcp/default"].needs
    with pytest.raises(StarterError, match="connections are aws, azure, gcp, onprem"):
        _requests("mars", ())
