"""Which batch endpoints a run has. Whoever looks for the jobs of a run asks this, also where no batch was ever asked for."""

from activities.azure.actions import ML
from activities.azure.resources import Resources

NEEDS = {"resources.all": (f"{ML}/batchEndpoints/read",)}
ROOT = "batchEndpoints"


class RunsEndpoints:
    """The batch endpoints of one workspace, by the tags of the runs that made them."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def of(self, run_uid: str, stage: str | None) -> list[dict[str, str]]:
        """Return the tags of a run's endpoints, or of one of its stages."""
        tagged = [dict(held.get("tags") or {}) for held in self._resources.all(ROOT)]
        return [
            tags
            for tags in tagged
            if tags.get("causeway-run") == run_uid
            and stage in {None, tags.get("causeway-stage")}
            and "causeway-key" in tags
        ]
