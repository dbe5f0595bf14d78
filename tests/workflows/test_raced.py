from temporalio.worker import Worker

from tests.workflows.play import Play
from tests.workflows.raced import Raced


async def test_a_cancel_that_comes_with_news_of_the_job_is_not_lost(play: Play) -> None:
    async with Worker(play.client, task_queue="raced", workflows=[Raced]):
        assert await play.client.execute_workflow(Raced.run, id="raced", task_queue="raced")
