"""What every fake of one connection is made of: its name, the world the clouds share, and the contracts it answers."""

from collections.abc import Callable, Sequence
from typing import Any

from contracts.queues import SCHEME_OF_CLOUD, Cloud, cloud_of
from tests.fakes.world import World


def container_of(connection: str) -> str:
    """The default container of a fake connection."""
    cloud = cloud_of(connection)
    return f"{SCHEME_OF_CLOUD[cloud]}://{'' if cloud is Cloud.ONPREM else 'causeway'}/"


class FakeConnection:
    """Plays in the world under one connection's name."""

    def __init__(self, connection: str, world: World) -> None:
        self.connection = connection
        self.world = world

    @property
    def activities(self) -> Sequence[Callable[..., Any]]:
        found = (getattr(self, name) for name in dir(type(self)) if name != "activities")
        return [method for method in found if hasattr(method, "__temporal_activity_definition")]

    async def _play(self, name: str, request: Any, effect: Callable[[], Any]) -> Any:
        return await self.world.play(self.connection, name, request, effect)

    def _own(self, uri: str) -> str:
        assert uri.startswith(SCHEME_OF_CLOUD[cloud_of(self.connection)]), f"{uri} on {self.connection}"
        return uri
