"""What other workers measure, sent along by a worker that has a sink of its cloud.

Runs, stages and transfers are measured by the worker of workflows, which holds no cloud's identity and so can write into no
cloud's monitoring. A worker that can reads that one's `/metrics` and hands its points on as if they were of its own pipeline.
"""

import re
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

SECONDS = 3.0
"""How long another worker may take to answer."""
LARGEST = 8 * 1024 * 1024
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Total:
    """A counter, or a histogram, as it stands: buckets count what lies below each bound, and not what lies below another."""

    count: float
    sum: float = 0.0
    bounds: tuple[float, ...] = ()
    buckets: tuple[int, ...] = ()

    def since(self, before: "Total | None") -> "Total":
        """Return what was added; one that has become less began anew."""
        if before is None or before.count > self.count or before.bounds != self.bounds:
            return self
        buckets = tuple(now - then for now, then in zip(self.buckets, before.buckets, strict=True))
        return Total(self.count - before.count, self.sum - before.sum, self.bounds, buckets)


@dataclass(frozen=True)
class Series:
    """One metric with its labels."""

    name: str
    kind: str
    labels: Labels


Page = dict[Series, Total]


class Along:
    """The page of one other worker, read again and again; what it had counted before the first look is not sent."""

    def __init__(self, url: str) -> None:
        """Read from there: `http://workflows:9464/metrics`."""
        self.url = url
        self._first: Page | None = None
        self._before: Page = {}
        self._looked = self._began = 0

    def since(self, delta: bool) -> ResourceMetrics | None:
        """Return what was counted since the last look, or since the first; None where nobody answers.

        Raises:
            OSError: the other worker does not answer.
        """
        with urllib.request.urlopen(self.url, timeout=SECONDS) as answer:  # noqa: S310 - an operator's setting
            text = answer.read(LARGEST).decode()
        page, now = read(text), time.time_ns()
        if self._first is None:
            self._first, self._before = page, page
            self._looked = self._began = now
            return None
        if any(
            total.count < self._before[key].count
            for key, total in page.items()
            if key in self._before and key.kind != "gauge"
        ):
            # The other worker began anew, and everything with it.
            self._first, self._before, self._began = {}, {}, self._looked
        against, began = (self._before, self._looked) if delta else (self._first, self._began)
        found = list(_metrics(page, against, (began, now), delta))
        self._before, self._looked = page, now
        scope = ScopeMetrics(InstrumentationScope("causeway"), found, "")
        return ResourceMetrics(Resource({SERVICE_NAME: _service(text)}), [scope], "")


def read(text: str) -> Page:
    """Read a page of metrics as Prometheus has it."""
    page: Page = {}
    for family in text_string_to_metric_families(text):
        if family.type == "histogram":
            page |= _histograms(family.name, family.samples)
        elif family.type in {"counter", "gauge"} and family.name != "target_info":
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    series = Series(family.name, family.type, tuple(sorted(sample.labels.items())))
                    page[series] = Total(sample.value)
    return page


def _histograms(name: str, samples: Iterable[Sample]) -> Page:
    below: dict[Labels, list[tuple[float, float]]] = {}
    sums: dict[Labels, float] = {}
    for sample in samples:
        labels = {key: value for key, value in sample.labels.items() if key != "le"}
        key = tuple(sorted(labels.items()))
        if sample.name.endswith("_bucket"):
            below.setdefault(key, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_sum"):
            sums[key] = sample.value
    return {Series(name, "histogram", key): _total(held, sums.get(key, 0.0)) for key, held in below.items()}


def _total(below: list[tuple[float, float]], added: float) -> Total:
    """Turn counts of what lies below each bound into counts of what lies between two."""
    ordered = sorted(below)
    counts = [int(count) for _, count in ordered]
    between = tuple(now - before for now, before in zip(counts, [0, *counts], strict=False))
    return Total(counts[-1], added, tuple(bound for bound, _ in ordered[:-1]), between)


def _metrics(page: Page, against: Page, times: tuple[int, int], delta: bool) -> Iterator[Metric]:
    temporality = AggregationTemporality.DELTA if delta else AggregationTemporality.CUMULATIVE
    kinds = dict.fromkeys((series.name, series.kind) for series in page)
    for name, kind in kinds:
        held = {key: total for key, total in page.items() if (key.name, key.kind) == (name, kind)}
        if kind == "gauge":
            data: Gauge | Histogram | Sum = Gauge([_number(total, key, times) for key, total in held.items()])
        else:
            added = {key: total.since(against.get(key)) for key, total in held.items()}
            grown = [(key, total) for key, total in added.items() if total.count]
            if not grown:
                continue
            if kind == "counter":
                data = Sum([_number(total, key, times) for key, total in grown], temporality, True)
            else:
                data = Histogram([_point(total, key, times) for key, total in grown], temporality)
        told, unit = _named(name)
        yield Metric(told, "", unit, data)


def _number(total: Total, series: Series, times: tuple[int, int]) -> NumberDataPoint:
    return NumberDataPoint(dict(series.labels), *times, total.count)


def _point(added: Total, series: Series, times: tuple[int, int]) -> HistogramDataPoint:
    """A page tells no least and no greatest value: they are taken from the bounds that enclose what was counted."""
    held = [index for index, count in enumerate(added.buckets) if count]
    edges = (0.0, *added.bounds, added.bounds[-1] if added.bounds else 0.0)
    least, greatest = (edges[held[0]], edges[held[-1] + 1]) if held else (0.0, 0.0)
    return HistogramDataPoint(
        attributes=dict(series.labels),
        start_time_unix_nano=times[0],
        time_unix_nano=times[1],
        count=int(added.count),
        sum=added.sum,
        bucket_counts=added.buckets,
        explicit_bounds=added.bounds,
        min=least,
        max=greatest,
    )


def _named(name: str) -> tuple[str, str]:
    """The name that a metric has before Prometheus writes its unit behind it, and the unit."""
    if not name.endswith("_seconds"):
        return name, ""
    return (name.removesuffix("_seconds") if name.startswith("temporal_") else name), "s"


def _service(text: str) -> str:
    found = re.search(r'^target_info\{.*service_name="([^"]*)"', text, re.MULTILINE)
    return found[1] if found else "causeway"
