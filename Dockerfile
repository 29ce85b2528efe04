# The dashboard. AWS is reached through boto3's own variables or the task's role; settings are environment variables.
# It runs with a read-only file system, without capabilities, as user 10001:
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges ...
# Without authentication it serves on loopback only; docs/deploy.md says how to run it in front of others.
#
# A build that has to be the same tomorrow names the digest too: --build-arg PYTHON=python:3.12-slim-bookworm@sha256:...
ARG PYTHON=python:3.12-slim-bookworm
ARG UV=0.13.9

FROM ${PYTHON} AS build
ARG UV
RUN pip install --no-cache-dir uv==${UV}
ENV UV_PROJECT_ENVIRONMENT=/app UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --extra redis --no-install-project
COPY . .
RUN uv sync --frozen --extra redis --no-editable
# The same configuration as the functions have; without one the defaults count.
RUN if [ -f pulseboard.toml ]; then cp pulseboard.toml /app/; fi

FROM ${PYTHON}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Pulseboard" \
      org.opencontainers.image.description="Operations dashboard for data pipelines on AWS" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# What the dashboard does not need is nobody's to use: no installer in the final image.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin pulseboard && \
    pip uninstall --yes --quiet pip && rm -rf /usr/local/lib/python3.*/ensurepip
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PULSEBOARD_HOST=127.0.0.1 PULSEBOARD_PORT=8050
WORKDIR /app
USER 10001
# The one place that is written: gunicorn's heartbeat. On Fargate the volume takes its rights from here.
VOLUME ["/tmp"]
EXPOSE 8050
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD \
  ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PULSEBOARD_PORT\"]}/healthz', timeout=4)"]
CMD ["pulseboard", "serve"]
