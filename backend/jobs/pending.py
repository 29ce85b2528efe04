"""Which batches of a job are still to be done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from backend.contract.errors import InvalidInput
from backend.contract.job_items import batches_of, planned
from backend.jobs.run import check_name
from backend.jobs.store import JobStore, Refused

MAX_PLAN_BYTES: Final = 350_000
"""Of a plan's names as JSON: an item of the table takes 400 KB."""


def pending_batches(store: JobStore, job_name: str, batches: Sequence[str], now: float, logger: Logger) -> list[str]:
    """The batches that have not succeeded, in the order given, each once; the list is registered as the job's plan.

    One query, however many they are; the plan is written only when it changed, and failing to write it costs nothing
    but the page's view of it. Raises what botocore raises where the table can't be read, and InvalidInput.
    """
    check_name("name", job_name)
    if isinstance(batches, str):
        raise InvalidInput("batches", batches, 'must be a list of names, such as ["2026-01", "2026-02"]')
    wanted = list(dict.fromkeys(batches))
    for batch in wanted:
        check_name("batches", batch)
    if (size := len(json.dumps(wanted, ensure_ascii=False).encode())) > MAX_PLAN_BYTES:
        remedy = f"are more than {MAX_PLAN_BYTES}; ask for the batches in parts, or name them shorter"
        raise InvalidInput("batches", f"{size} bytes of names", remedy)
    items = store.partition(job_name)
    if planned(items)[0] != tuple(wanted):
        try:
            store.plan(job_name, wanted, now)
        except (ClientError, BotoCoreError, Refused) as error:
            fields = {"job_name": job_name, "error_type": type(error).__name__, "error_message": str(error)}
            logger.warning("plan of batches not registered", extra=fields)
    done = {name for name, batch in batches_of(items).items() if batch.status == "succeeded"}
    return [batch for batch in wanted if batch not in done]
