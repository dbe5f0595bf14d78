# One image for every worker and for the starter: docker build --build-arg EXTRAS="aws" -t causeway:aws .
# Tried: the commands of both stages one by one on Linux without a container engine. Not tried: building and running the image.
FROM python:3.11-slim AS build
# Which clouds' SDKs go in; the workflows worker needs none, and `lineage` only where CAUSEWAY_LINEAGE_URL is set.
ARG EXTRAS="aws azure gcp onprem lineage"
WORKDIR /build
COPY requirements-uv.lock requirements.lock pyproject.toml ./
RUN python -m venv /opt/uv \
    && /opt/uv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-uv.lock
# The lock gives version and hash of every package, pyproject.toml says which of them an extra needs. pip stays for jobs on-prem.
RUN python -m venv /opt/venv \
    && set -- \
    && for extra in $EXTRAS; do set -- "$@" --extra "$extra"; done \
    && VIRTUAL_ENV=/opt/venv /opt/uv/bin/uv pip install --no-cache --require-hashes \
        -c requirements.lock -r pyproject.toml "$@"

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home causeway
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY contracts contracts
COPY telemetry telemetry
COPY workflows workflows
COPY activities activities
COPY workers workers
COPY starter starter
COPY pipelines pipelines
# Temporal's sandbox imports the workflows anew for each run; without bytecode it compiles them each time, 30 ms of CPU a run.
RUN /opt/venv/bin/python -m compileall -q contracts telemetry workflows activities workers starter pipelines
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
ENTRYPOINT ["python", "-m"]
CMD ["workers", "workflows"]
