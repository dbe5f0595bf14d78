"""One trace for each run, across the starter, the workflows and every worker, by Temporal's own interceptor.

It is on where OpenTelemetry's variables name an endpoint of OTLP over HTTP, and otherwise nothing of it is loaded: no
header is written into any history. `TracingInterceptor` is taken rather than the newer plugin, which is experimental, shows
a workflow's spans only after its end, and so none of a run of days.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Tracer, format_trace_id
from temporalio.client import OutboundInterceptor, QueryWorkflowInput
from temporalio.contrib.opentelemetry import TracingInterceptor

from telemetry.patience import PatientSpans, hush
from telemetry.switches import traces_endpoint

PATIENCE_SECONDS = 3.0
"""How long the end of a process waits for its last spans to be taken."""


class RunTracing(TracingInterceptor):
    """Traces what moves a run; a starter that watches asks twice a second, and that is nobody's news."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """Stand in front of every call but a query."""
        return _Asking(super().intercept_client(next), next)


class _Asking(OutboundInterceptor):
    def __init__(self, traced: OutboundInterceptor, plain: OutboundInterceptor) -> None:
        super().__init__(traced)
        self._plain = plain

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        """Ask without a span."""
        return await self._plain.query_workflow(input)


@dataclass(frozen=True)
class Tracing:
    """The traces of one process."""

    provider: TracerProvider
    tracer: Tracer

    @property
    def interceptor(self) -> RunTracing:
        """What a client of Temporal is given; its workers inherit it."""
        return RunTracing(self.tracer)

    @contextmanager
    def span(self, name: str) -> Iterator[str]:
        """Surround something by a span; yields the id of its trace."""
        with self.tracer.start_as_current_span(name) as span:
            yield format_trace_id(span.get_span_context().trace_id)

    def close(self) -> None:
        """Send what is held, if it is taken within a few seconds; never waits for an endpoint that is away."""
        closing = threading.Thread(target=self.provider.shutdown, daemon=True)
        closing.start()
        closing.join(PATIENCE_SECONDS)


def tracing(
    process: str, environment: Mapping[str, str], exporter: SpanExporter | None = None
) -> Tracing | None:
    """Return the traces of a process; None where no endpoint is named.

    Spans wait in a queue of at most 2048 (`OTEL_BSP_MAX_QUEUE_SIZE`) and are sent from a thread of their own: an endpoint
    that is away costs the spans and one line in the log.
    """
    where = traces_endpoint(environment)
    if where is None:
        return None
    hush()
    resource = Resource.create({SERVICE_NAME: environment.get("OTEL_SERVICE_NAME") or f"causeway-{process}"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(PatientSpans(exporter or OTLPSpanExporter(), where)))
    return Tracing(provider, provider.get_tracer("causeway"))
