"""Who else is told of a run: the receiver of alerts, and where lineage is written down."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from contracts.observed import Observed
from contracts.plan import Plan
from contracts.runs import RunRequest, StageError
from workflows.alerts import Alerts
from workflows.book import Book
from workflows.lineage import Lineage
from workflows.mirror import Mirror


class Watchers:
    """Tells them both; a run that nobody watches has not one more event for it."""

    def __init__(self, request: RunRequest, book: Book, mirror: Mirror) -> None:
        """Watch this run."""
        self._alerts = Alerts(request, book, mirror)
        self._lineage = Lineage(request, book)

    def keepers(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What tells as long as the run goes on."""
        return self._alerts.keep(), self._lineage.keep()

    def heard(self, observed: Observed) -> None:
        """Take down what is wanted before there is a plan."""
        self._alerts.heard(observed)

    def planned(self, plan: Plan) -> None:
        """Take down what is wanted."""
        self._alerts.heard(plan.observed)
        self._lineage.planned(plan)

    async def finish(self, error: StageError | None) -> None:
        """Tell how the run ended; what was told will be delivered without it."""
        await asyncio.gather(self._alerts.finish(error), self._lineage.finish(error))

    async def carried(self) -> dict[str, Any]:
        """What the next execution must know of what was told, as fields of its progress."""
        return {"alerts": await self._alerts.carried(), "lineage": await self._lineage.carried()}
