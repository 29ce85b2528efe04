"""What AWS asks for, US dollars in us-east-1 on demand, with the date of the list. Users set their region's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prices:
    """``as_of`` is the date of the list; each price names its unit.

    Sources: the pricing pages of Athena, S3, DynamoDB, Lambda, SQS, SNS, CloudWatch, API Gateway and Step Functions.
    """

    as_of: str = "2026-11-01"
    athena_terabyte: float = 5.0
    """A terabyte (1e12 bytes) scanned; a query counts as at least 10 MB."""
