"""Rights that are needed and that no run on the engine can use: what for, and the test that proves the call.

Short by intent. `tests/infra/test_least_privilege.py` fails on an entry that was recorded after all, that no policy
allows any more, or whose test is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.settings import Settings
from tests.permissions.calls import Call, arn


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """One action of a principal on one resource. ``proof`` is a test, as ``path::name``.

    ``seldom`` is true of a call that a run may happen to see, by its timing: it is left out of what is recorded.
    """

    principal: str
    action: str
    resource: str
    reason: str
    proof: str
    seldom: bool = False

    def __str__(self) -> str:
        return f"{self.principal} {self.action} {self.resource.rpartition(':')[2]}"


_INDEX: Final = "table/PipelineEvents/index/event_id-index"
_EVENTS: Final = arn("s3", f"{Settings().bucket}/events/*")
_CHECKS: Final = "tests/backend/checks"

EXCEPTIONS: Final[tuple[Unrecorded, ...]] = (
    Unrecorded(
        "ingest-api",
        "dynamodb:GetItem",
        arn("dynamodb", "table/EventGate"),
        "asked when the same event arrives twice within the same second",
        "tests/backend/events/test_ingest.py::test_an_event_in_other_hands_is_waited_for_before_it_is_taken_over",
    ),
    Unrecorded(
        "event-processor",
        "s3:PutObject",
        arn("s3", f"{Settings().bucket}/errors/*"),
        "the full text of an error of more than 16 KB, which only a plug-in raises",
        "tests/backend/events/test_processor_failures.py"
        "::test_a_long_error_is_shortened_in_the_table_and_whole_in_the_bucket",
    ),
    Unrecorded(
        "log-processor",
        "sqs:ChangeMessageVisibility",
        arn("sqs", "log-processor-queue"),
        "given back sooner in an outage of DynamoDB or S3",
        "tests/backend/test_give_back.py::test_a_failed_message_comes_back_by_how_often_it_failed",
    ),
    Unrecorded(
        "alert-consumer",
        "sqs:ChangeMessageVisibility",
        arn("sqs", "alert-consumer-queue"),
        "given back sooner in an outage of DynamoDB",
        "tests/backend/test_give_back.py::test_a_failed_message_comes_back_by_how_often_it_failed",
    ),
    Unrecorded(
        "replay-runner",
        "sqs:SendMessage",
        arn("sqs", "replay-runner-queue"),
        "handed on after ten minutes of work, or taken up by the sweep where a runner is gone",
        "tests/backend/replay/test_runner.py::test_a_slice_that_is_over_hands_on_and_the_next_goes_on",
        seldom=True,
    ),
    Unrecorded(
        "pipeline-checks",
        "dynamodb:Query",
        arn("dynamodb", _INDEX),
        "a sample is taken of events that are an hour old",
        f"{_CHECKS}/test_reading.py::test_an_object_that_is_gone_is_found_by_index_and_sample",
    ),
    Unrecorded(
        "pipeline-checks",
        "s3:GetObject",
        _EVENTS,
        "a sample is taken of events that are an hour old",
        f"{_CHECKS}/test_reading.py::test_a_sample_that_equals_its_objects_passes_and_one_that_was_changed_does_not",
    ),
    Unrecorded(
        "pipeline-checks",
        "dynamodb:BatchGetItem",
        arn("dynamodb", "table/EventGate"),
        "asked about objects of an hour ago that the index lacks",
        "tests/e2e/test_checks.py::test_an_event_lost_between_its_object_and_the_index_is_found_and_told",
    ),
    Unrecorded(
        "pipeline-checks",
        "dynamodb:Query",
        arn("dynamodb", "table/Replays"),
        "which batches an earlier retry of a job sent, where one failed in part",
        f"{_CHECKS}/test_jobs.py::test_the_policy_leaves_to_a_person_what_they_asked_for",
    ),
    *(
        Unrecorded(
            "pipeline-checks",
            f"dynamodb:{action}",
            arn("dynamodb", "table/Replays"),
            "a retry that could not be started is put on record as failed",
            f"{_CHECKS}/test_jobs.py::test_the_policy_asks_again_after_the_back_off_for_what_could_not_be_sent",
        )
        for action in ("GetItem", "UpdateItem")
    ),
    Unrecorded(
        "pipeline-checks",
        "sns:Publish",
        arn("sns", "pipeline-warnings"),
        "what is MEDIUM or LOW: a dataset's volume, a payload that changed",
        f"{_CHECKS}/test_datasets.py::test_an_hour_that_lost_its_records_is_told_until_the_next_one_is_right",
    ),
    Unrecorded(
        "pipeline-checks",
        "execute-api:Invoke",
        arn("execute-api", "HttpApi/$default/POST/ingest"),
        "the canary's request is signed and sent without a client of boto3",
        f"{_CHECKS}/test_canary.py::test_it_is_signed_and_the_same_event_within_a_minute",
    ),
    Unrecorded(
        "pipeline-steps",
        "dynamodb:Query",
        arn("dynamodb", "table/Alerts"),
        "not asked while the checks are switched off, as they are while calls are recorded",
        "tests/backend/orchestration/test_handler.py::test_checks_that_never_ran_are_no_failure",
    ),
    Unrecorded(
        "history-compactor",
        "athena:StopQueryExecution",
        arn("athena", "workgroup/pulseboard"),
        "a statement that needs more time than the function has",
        "tests/e2e/test_history.py::test_a_slow_query_is_stopped_after_its_time",
    ),
    Unrecorded(
        "history-compactor",
        "s3:DeleteObject",
        arn("s3", f"{Settings().bucket}/history/*"),
        "a generation goes once no query can be reading it any more",
        "tests/backend/history/test_compaction.py::test_only_what_no_query_may_be_reading_is_garbage",
    ),
    Unrecorded(
        "dashboard-history",
        "athena:StopQueryExecution",
        arn("athena", "workgroup/pulseboard"),
        "a reading that somebody cancels",
        "tests/e2e/test_history.py::test_a_query_that_is_cancelled_ends_in_athena_too",
    ),
)


def recordable(principal: str, call: Call) -> bool:
    """False for what a run sees by chance."""
    return not any(
        entry.seldom and (entry.principal, entry.action, entry.resource) == (principal, call.action, call.resource)
        for entry in EXCEPTIONS
    )
