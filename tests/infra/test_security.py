"""The template keeps what it holds: TLS only, encrypted, private; no service of another account writes to it."""

from __future__ import annotations

from typing import Any

import pytest

from backend.local.template import load_template, properties
from tests.permissions.policies import as_list

TEMPLATE = load_template()


def of_type(kind: str) -> list[str]:
    return [name for name, entry in TEMPLATE["Resources"].items() if entry["Type"] == kind]


def of(resource: str) -> Any:
    return properties(TEMPLATE, resource, {})


def policies_of(kind: str, holders: str) -> dict[str, list[dict[str, Any]]]:
    """Queue or topic to the statements of the policies that name it: CloudFormation keeps the last of several."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in of_type(kind):
        for held in of(name)[holders]:
            assert held["Ref"] not in found, f"{held['Ref']} has two policies, of which one is lost"
            found[held["Ref"]] = of(name)["PolicyDocument"]["Statement"]
    return found


QUEUES = policies_of("AWS::SQS::QueuePolicy", "Queues")
TOPICS = policies_of("AWS::SNS::TopicPolicy", "Topics")
BUCKET = of("DataBucketPolicy")["PolicyDocument"]["Statement"]


def denies_plain_text(statements: list[dict[str, Any]], action: str) -> bool:
    return any(
        (entry["Effect"], entry["Principal"], entry["Action"]) == ("Deny", "*", action)
        and entry["Condition"] == {"Bool": {"aws:SecureTransport": False}}
        for entry in statements
    )


@pytest.mark.parametrize("queue", of_type("AWS::SQS::Queue"))
def test_queues_take_and_give_messages_over_tls_only_and_encrypt_them(queue: str) -> None:
    assert denies_plain_text(QUEUES[queue], "sqs:*")
    assert of(queue)["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("topic", of_type("AWS::SNS::Topic"))
def test_topics_take_messages_over_tls_only(topic: str) -> None:
    assert denies_plain_text(TOPICS[topic], "sns:Publish")


@pytest.mark.parametrize("statements", [*QUEUES.values(), *TOPICS.values()])
def test_statements_of_queues_and_topics_are_such_as_aws_takes(statements: list[dict[str, Any]]) -> None:
    """SQS and SNS refuse a statement of several resources, and two of one name."""
    assert all(len(as_list(entry["Resource"])) == 1 for entry in statements)
    assert len({entry["Sid"] for entry in statements}) == len(statements)


def test_the_bucket_is_reached_over_tls_only_by_its_owner_only() -> None:
    assert denies_plain_text(BUCKET, "s3:*")
    for entry in BUCKET:
        assert entry["Effect"] == "Deny", "nobody is let in by the bucket's policy"
    assert any(entry["Condition"] == {"NumericLessThan": {"s3:TlsVersion": "1.2"}} for entry in BUCKET)
    bucket = of("DataBucket")
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4


def test_objects_are_encrypted_and_never_with_a_key_that_only_their_writer_has() -> None:
    (rule,) = of("DataBucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    (entry,) = (entry for entry in BUCKET if entry["Sid"] == "NoKeysOfCallers")
    assert entry["Action"] == "s3:PutObject"
    assert entry["Condition"] == {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": False}}


def test_answers_of_athena_are_encrypted_and_nobody_can_ask_for_less() -> None:
    for name in of_type("AWS::Athena::WorkGroup"):
        configuration = of(name)["WorkGroupConfiguration"]
        assert configuration["EnforceWorkGroupConfiguration"] is True
        assert configuration["ResultConfiguration"]["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}
        assert configuration["BytesScannedCutoffPerQuery"]


@pytest.mark.parametrize("table", of_type("AWS::DynamoDB::Table"))
def test_tables_can_be_brought_back_and_let_nobody_else_in(table: str) -> None:
    """DynamoDB encrypts every table; without SSESpecification with a key that AWS owns, which costs nothing."""
    assert of(table)["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert "ResourcePolicy" not in of(table)


@pytest.mark.parametrize("group", of_type("AWS::Logs::LogGroup"))
def test_logs_are_kept_for_a_time_and_no_longer(group: str) -> None:
    assert of(group)["RetentionInDays"]


@pytest.mark.parametrize("function", of_type("AWS::Lambda::Function"))
def test_every_functions_log_group_is_the_templates_so_that_it_ends(function: str) -> None:
    assert of(function)["LoggingConfig"]["LogGroup"]["Ref"] in of_type("AWS::Logs::LogGroup")


def test_what_lets_a_service_in_says_for_whom() -> None:
    """No confused deputy: a service acts for this account's own resources and for nobody else's."""
    opened = [entry for statements in (*QUEUES.values(), *TOPICS.values()) for entry in statements]
    for entry in opened:
        if entry["Effect"] == "Allow":
            assert set(entry["Principal"]) == {"Service"}
            asked = {key for pairs in entry["Condition"].values() for key in pairs}
            assert asked & {"aws:SourceArn", "aws:SourceAccount"}, entry["Sid"]


def test_a_bucket_of_the_same_name_in_another_account_can_announce_nothing() -> None:
    """A bucket's ARN has no account, so its name alone proves nothing once the bucket was deleted."""
    (entry,) = (entry for entry in QUEUES["MetricsQueue"] if entry["Effect"] == "Allow")
    assert entry["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


@pytest.mark.parametrize("permission", of_type("AWS::Lambda::Permission"))
def test_who_may_start_a_function_is_named_by_its_arn(permission: str) -> None:
    assert of(permission)["SourceArn"]


def test_nothing_in_the_template_is_open_to_everybody() -> None:
    for statements in (*QUEUES.values(), *TOPICS.values(), BUCKET):
        assert not [entry for entry in statements if entry["Effect"] == "Allow" and entry["Principal"] == "*"]


def test_secrets_are_named_and_never_written_into_the_template() -> None:
    for name, parameter in TEMPLATE["Parameters"].items():
        if any(word in name for word in ("Token", "Key", "Secret", "Password")) and not name.endswith("Endpoint"):
            assert parameter.get("Default", "") == "" or name.endswith("Key"), name
            assert name.endswith(("Arn", "Key")), f"{name} would hold a secret itself"
