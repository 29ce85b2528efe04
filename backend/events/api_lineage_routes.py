"""The route for OpenLineage: run events of Airflow, Spark, dbt and whoever else speaks it become job runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from backend.events.api_answers import answer, error
from backend.events.api_routes import Services, body_of
from backend.events.delivery import lower_headers
from backend.events.outcome import UNAVAILABLE
from backend.events.reading import read_object
from backend.jobs.lineage import parse_event
from backend.jobs.lineage_store import NotTold


def add_lineage_routes(app: APIGatewayHttpResolver, services: Services) -> None:
    """Adds ``POST /lineage``."""

    @app.post("/lineage")
    def take() -> Response[str]:
        event: Mapping[str, Any] = app.current_event.raw_event
        bounds = services.bounds
        content_type = lower_headers(event).get("content-type", "")
        # Facets make events as large as batches of events may be.
        record = read_object(body_of(event), content_type, bounds, services.settings.config.events.body_bytes)
        try:
            run = services.lineage.take(parse_event(record, bounds.now, bounds.limits.future_seconds))
        except NotTold as problem:
            return error(503, UNAVAILABLE, f"{problem}; send the event again")
        return answer(201, {"job_name": run.job_name, "run_id": run.run_id, "status": run.status})
