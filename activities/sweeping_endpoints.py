"""Endpoints that a run left, parts of endpoints too, over any service of endpoints."""

from activities.endpoint_service import EndpointService
from activities.endpoints import Poll
from activities.guard import Translate
from activities.sweeping import Found
from contracts.sweeps import SweepItem


class EndpointSweeper:
    """The endpoints of one service; what was deployed to stay is nobody's orphan."""

    kind = "endpoint"

    def __init__(self, service: EndpointService, translate: Translate) -> None:
        self._service = service
        self._translate = translate

    def find(self, after: str | None) -> Found:
        """Return all of them: they are few, since each has a machine of its own."""
        items = [
            SweepItem(
                kind=self.kind,
                id=held.ref.id,
                name=held.ref.name,
                run_uid=held.run_uid,
                stage=held.stage,
                since=held.since,
                cost="its machine, by the second, as long as it is there",
            )
            for held in self._service.marked()
            if not held.kept
        ]
        return Found(tuple(items))

    def stop(self, item: SweepItem) -> None:
        """Remove it, if it still carries the tag of the run that it was found with; return when nothing of it is left."""
        for state in self._service.find(item.run_uid, item.stage or None):
            if item.id in {state.ref.id, state.ref.name}:
                Poll(self._service, self._translate).until_gone(state.ref)
