"""A workflow of one's own: trains with ever more trees until the model is good enough, then scores with it, or says why not."""

from temporalio import workflow

from contracts.runs import RunRequest, RunStatus
from workflows.own import OwnWorkflow, Steps

TREES = (1, 5, 25, 125)


@workflow.defn(name="until_good")
class UntilGood(OwnWorkflow):
    """The stages are those of pipeline.yaml; the loop, which YAML has no words for, is here."""

    @workflow.run
    async def run(self, request: RunRequest) -> RunStatus:
        """Run the steps below as a run: with preflight, pause, decisions, cancel and report."""
        return await super().run(request)

    async def steps(self, stages: Steps) -> None:
        """Train again while the model is not good enough, and score with the first that is."""
        for trees in TREES:
            trained = await stages.stage("train", trees=trees)
            if trained.metrics.get("auc", 0.0) >= float(self.request.spec.params["wanted"]):
                await stages.stage("score")
                return
