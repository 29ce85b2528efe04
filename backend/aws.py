"""boto3 clients: made once, with time-outs, retries and pool sizes that fit the caller, then passed in."""

from __future__ import annotations

from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.loaders import Loader, create_loader
from botocore.session import get_session

from backend.aws_answer import refuse_foreign

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


USER_AGENT: Final = "pulseboard"
"""Sent with every call. botocore otherwise puts its own together twice a call, a quarter of a small call's CPU."""


@cache
def _loader() -> Loader:
    """botocore's reader of service models, which keeps what it read: the files are large and never change."""
    loader: Loader = create_loader()
    return loader


class Clients:
    """Lazily made clients of one session; thread-safe to use once made.

    Retries are botocore's standard mode unless ``attempts`` says how many tries a call has in all. What is no answer of
    AWS's is an error (``backend.aws_answer.NotAnAnswer``), never an empty result.
    """

    def __init__(self, region: str, *, pool: int = 16, timeout: float = 10.0, attempts: int = 3) -> None:
        self._renew = partial(Clients, region, pool=pool, timeout=timeout, attempts=attempts)
        core = get_session()
        core.register_component("data_loader", _loader())
        core.register("before-parse", refuse_foreign)
        self._session = boto3.Session(region_name=region, botocore_session=core)
        self._config = Config(
            connect_timeout=3,
            read_timeout=timeout,
            max_pool_connections=pool,
            retries={"mode": "standard", "total_max_attempts": attempts},
            tcp_keepalive=True,
            user_agent=USER_AGENT,
        )

    def renewed(self) -> Clients:
        """The same clients made anew: for a forked process, which must not use its parent's connections."""
        return self._renew()

    @cached_property
    def s3(self) -> S3Client:
        """Amazon S3."""
        return self._session.client("s3", config=self._config)

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """Amazon DynamoDB."""
        return self._session.client("dynamodb", config=self._config)

    @cached_property
    def sqs(self) -> SQSClient:
        """Amazon SQS."""
        return self._session.client("sqs", config=self._config)

    @cached_property
    def sns(self) -> SNSClient:
        """Amazon SNS."""
        return self._session.client("sns", config=self._config)

    @cached_property
    def athena(self) -> AthenaClient:
        """Amazon Athena."""
        return self._session.client("athena", config=self._config)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Amazon CloudWatch."""
        return self._session.client("cloudwatch", config=self._config)

    @cached_property
    def lambda_(self) -> LambdaClient:
        """AWS Lambda."""
        return self._session.client("lambda", config=self._config)

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """AWS CloudFormation."""
        return self._session.client("cloudformation", config=self._config)

    @cached_property
    def stepfunctions(self) -> Any:
        """AWS Step Functions."""
        return self._session.client("stepfunctions", config=self._config)

    @cached_property
    def secretsmanager(self) -> Any:
        """AWS Secrets Manager."""
        return self._session.client("secretsmanager", config=self._config)
