"""Each fault does what it says, in words that the services' own clients understand."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.parsers import create_parser
from botocore.session import get_session

from chaos.faults import AWS, KINDS, NOT_DONE, SERVICES, act_of, answer_of

THROTTLED = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "s3": "SlowDown",
    "sqs": "RequestThrottled",
    "sns": "Throttled",
    "cloudwatch": "Throttling",
    "athena": "TooManyRequestsException",
}


def parsed(service: str, act: Any) -> tuple[int, str]:
    answer = answer_of(act, service)
    protocol = get_session().get_service_model(service).resolved_protocol
    response = {"status_code": answer.status, "headers": AWSResponse("", 0, {}, None).headers, "body": answer.body}
    response["headers"] = {name.lower(): value for name, value in answer.headers.items()}
    return answer.status, create_parser(protocol).parse(response, None)["Error"]["Code"]


@pytest.mark.parametrize("service", AWS)
def test_a_throttled_service_says_so_as_aws_does(service: str) -> None:
    status, code = parsed(service, "throttle")
    assert status >= 400
    assert code == THROTTLED[service]


@pytest.mark.parametrize("service", AWS)
def test_a_service_that_fails_says_500(service: str) -> None:
    assert parsed(service, "fail")[0] == 500


def test_slack_and_pagerduty_say_how_long_to_wait() -> None:
    for service in ("slack", "pagerduty"):
        answer = answer_of("throttle", service)
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 0


def test_every_second_request_of_a_half_failing_service_passes() -> None:
    acts = [act_of("half", number) for number in range(8)]
    assert acts[::2] == ["pass"] * 4
    assert set(acts[1::2]) == {"fail", "cut"}


def test_no_answer_of_a_wrong_service_is_its_own() -> None:
    acts = {act_of("wrong", number) for number in range(8)}
    assert "pass" not in acts
    assert acts & NOT_DONE
    assert acts - NOT_DONE


def test_without_a_fault_everything_passes() -> None:
    assert {act_of(None, number) for number in range(4)} == {"pass"}


def test_every_dependency_of_the_campaign_has_its_faults() -> None:
    for service in SERVICES:
        for kind in KINDS:
            act = act_of(kind, 0)
            assert service == "redis" or act not in NOT_DONE or answer_of(act, service).status
