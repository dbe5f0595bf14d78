"""A fake connection's answer to a check: what the world says it found."""

from temporalio import activity

from contracts.checks import CheckActivities, CheckLine, CheckReport, CheckRequest
from tests.fakes.connection import FakeConnection


class FakeCheck(FakeConnection, CheckActivities):
    """Looks at nothing, and passes."""

    @activity.defn(name="connections.check")
    async def check(self, request: CheckRequest) -> CheckReport:  # type: ignore[override]
        def found() -> CheckReport:
            line = CheckLine(check="identity", subject="fake", verdict="passed", found=self.connection)
            return CheckReport(connection=request.connection, identity=self.connection, lines=(line,))

        report: CheckReport = await self._play("connections.check", request, found)
        return report
