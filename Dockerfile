# The dashboard. AWS is reached through boto3's own variables or the task's role; settings are environment variables.
# Without authentication it serves on loopback only, so for now run it beside its proxy or with --network host.
FROM python:3.12-slim AS build
RUN pip install --no-cache-dir uv
ENV UV_PROJECT_ENVIRONMENT=/app UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-install-project
COPY . .
RUN uv sync --frozen --no-editable

FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home pulseboard
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PULSEBOARD_HOST=127.0.0.1 PULSEBOARD_PORT=8050
USER pulseboard
WORKDIR /tmp
EXPOSE 8050
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD \
  ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PULSEBOARD_PORT\"]}/healthz', timeout=4)"]
CMD ["pulseboard", "serve"]
