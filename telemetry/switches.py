"""Which of OpenTelemetry's standard variables switch on what; reading them loads nothing of it."""

from collections.abc import Mapping

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
OFF = "none"
ALONG = "CAUSEWAY_METRICS_ALONG"


def traces_endpoint(environment: Mapping[str, str]) -> str | None:
    """Where traces go to; None where nothing says so, or something says not to."""
    return _endpoint(environment, "TRACES")


def metrics_endpoint(environment: Mapping[str, str]) -> str | None:
    """Where metrics go to; None where nothing says so, or something says not to."""
    return _endpoint(environment, "METRICS")


def along(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Pages of other workers' metrics that this worker's sinks are sent, too.

    Raises:
        ValueError: one of them is no URL.
    """
    named = tuple(url.strip() for url in environment.get(ALONG, "").split(",") if url.strip())
    for url in named:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{ALONG}: {url!r} is no URL; write http://workflows:9464/metrics")
    return named


def _endpoint(environment: Mapping[str, str], signal: str) -> str | None:
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if off or environment.get(f"OTEL_{signal}_EXPORTER", "").strip().lower() == OFF:
        return None
    own = environment.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "").strip()
    return own or environment.get(BASE, "").strip() or None
