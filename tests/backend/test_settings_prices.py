"""The price list: what a user may set, and the deployment guide's calculation, which must follow it."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from backend.contract.errors import InvalidInput
from backend.settings import load_config
from backend.settings_prices import Prices

GUIDE = (Path(__file__).parents[2] / "docs/deploy.md").read_text("utf-8")
QUOTED = {
    "dynamodb_million_writes": r"(\S+) per million \|",
    "dynamodb_million_reads": r"merge \| .* at (\S+) per million",
    "dynamodb_gb_month": r"0\.2 GB at (\S+) and",
    "dynamodb_backup_gb_month": r"0\.2 GB at \S+ and (\S+) \|",
    "lambda_million_requests": r"Lambda requests \| .* at (\S+) per million",
    "lambda_gb_second": r"GB-s at ([\d.]+)",
    "s3_thousand_puts": r"PUT at (\S+) and",
    "s3_thousand_gets": r"GET at (\S+) per thousand",
    "sqs_million_requests": r"requests at (\S+) per million, nearly",
    "cloudwatch_metric_month": r"CloudWatch metrics \| \d+ at (\S+) \|",
    "cloudwatch_logs_gb": r"of logs at (\S+) \|",
    "cloudwatch_thousand_requests": r"PutMetricData at (\S+) per thousand",
}


def config(tmp_path: Path, text: str) -> Prices:
    path = tmp_path / "pulseboard.toml"
    path.write_text(text)
    return load_config(path).prices


def test_a_regions_own_prices_replace_the_built_in_ones(tmp_path: Path) -> None:
    prices = config(tmp_path, '[prices]\nas_of = "2026-12-01"\ns3_gb_month = 0.0245\n')
    assert (prices.as_of, prices.s3_gb_month, prices.athena_terabyte) == ("2026-12-01", 0.0245, 5.0)


@pytest.mark.parametrize(("line", "field"), [("s3_gb_month = -1", "s3_gb_month"), ('as_of = "last year"', "as_of")])
def test_a_price_below_zero_and_a_date_that_is_none_are_refused_by_name(tmp_path: Path, line: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        config(tmp_path, f"[prices]\n{line}\n")
    assert refused.value.field == f"prices.{field}"


@pytest.mark.parametrize("name", sorted(QUOTED))
def test_the_deployment_guide_quotes_the_price_list(name: str) -> None:
    quoted = re.search(QUOTED[name], GUIDE)
    assert quoted is not None
    assert float(quoted[1]) == getattr(Prices(), name)


def test_every_price_quoted_is_a_price_of_the_list() -> None:
    assert QUOTED.keys() <= {field.name for field in fields(Prices)}
