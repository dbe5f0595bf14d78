"""Fake endpoints: they answer as soon as they are asked for, and are there until they are removed."""

from temporalio import activity

from contracts.endpoints import (
    EndpointList,
    EndpointPhase,
    EndpointRef,
    EndpointState,
    Invoked,
    InvokeRequest,
)
from contracts.jobs import FindRequest, JobRequest, LogPage, LogRequest
from tests.fakes.connection import FakeConnection


class FakeEndpoints(FakeConnection):
    """`endpoints.*` under their wire names."""

    @activity.defn(name="endpoints.deploy")
    async def deploy(self, request: JobRequest) -> EndpointState:
        return await self._play("endpoints.deploy", request, lambda: self._deploy(request))

    def _deploy(self, request: JobRequest) -> EndpointState:
        self.world.endpoints[request.name] = (self.connection, request)
        return _state(request, EndpointPhase.READY)

    @activity.defn(name="endpoints.invoke")
    async def invoke(self, request: InvokeRequest) -> Invoked:
        return await self._play("endpoints.invoke", request, lambda: self._invoke(request))

    def _invoke(self, request: InvokeRequest) -> Invoked:
        assert request.endpoint.name in self.world.endpoints
        self.world.put(f"{request.target}part-0.jsonl", b"1\n2\n")
        return Invoked(predictions=self.world.folder(request.target), rows=2, requests=1)

    @activity.defn(name="endpoints.retire")
    async def retire(self, ref: EndpointRef) -> EndpointState:
        return await self._play("endpoints.retire", ref, lambda: self._retire(ref))

    def _retire(self, ref: EndpointRef) -> EndpointState:
        self.world.endpoints.pop(ref.name, None)
        return EndpointState(ref=ref, phase=EndpointPhase.GONE)

    @activity.defn(name="endpoints.find")
    async def find_endpoints(self, request: FindRequest) -> EndpointList:
        return await self._play("endpoints.find", request, lambda: self._endpoints_of(request))

    def _endpoints_of(self, request: FindRequest) -> EndpointList:
        mine = [
            asked
            for connection, asked in self.world.endpoints.values()
            if connection == self.connection
            and asked.run.run_uid == request.run_uid
            and request.stage in {None, asked.stage}
        ]
        return EndpointList(endpoints=tuple(_state(asked, EndpointPhase.READY) for asked in mine))

    @activity.defn(name="endpoints.logs")
    async def endpoint_logs(self, request: LogRequest) -> LogPage:
        return await self._play("endpoints.logs", request, lambda: self._endpoint_logs(request))

    def _endpoint_logs(self, request: LogRequest) -> LogPage:
        said = self.world.log
        gone = request.patience_seconds > 0 and request.ref.name not in self.world.endpoints
        return LogPage(lines=said[int(request.after or 0) :], next_after=str(len(said)), ended=gone)


def _state(request: JobRequest, phase: EndpointPhase) -> EndpointState:
    ref = EndpointRef(id=f"id-{request.name}", name=request.name, generation=request.generation)
    return EndpointState(ref=ref, phase=phase)
