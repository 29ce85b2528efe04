from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.local.template import load_template
from dashboard.data.insights import LOG_GROUPS, conditions, console_address, literal, queries
from tests.dashboard.fakes import NOW


def by_key(filters: dict[str, str], seconds: float = 3600.0) -> dict[str, str]:
    found = queries(filters, NOW - seconds, NOW, "eu-central-1", ("entity_id", "order-1"))
    return {query.key: query.text for query in found}


def read_literal(text: str) -> tuple[str, str]:
    """The value of the literal at the start of ``text``, and what follows it: a reader of the query language."""
    match = re.match(r'"((?:[^"\\]|\\.)*)"', text, re.DOTALL)
    assert match is not None
    return re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL), text[match.end() :]


def unpacked(address: str) -> dict[str, str]:
    """The texts of an address by name: a reader of JSURL for the flat objects of the console."""
    detail = address.split("$3FqueryDetail$3D~(", 1)[1].removesuffix(")")
    values = dict(re.findall(r"(\w+)~'([^~()]*)", detail))
    return {name: plain(value) for name, value in values.items()}


def plain(text: str) -> str:
    units = re.sub(r"\*\*([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), text.replace("!", "$"))
    joined = units.encode("utf-16-be", "surrogatepass").decode("utf-16-be")
    return re.sub(r"\*([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), joined)


def test_every_query_carries_the_filters() -> None:
    found = by_key({"error_type": "parse_error", "operator": "parse-orders"})
    assert list(found) == ["trace", "errors-by-type", "latency", "slow-operators", "dlq-cause"]
    for key in ("errors-by-type", "latency", "slow-operators", "dlq-cause"):
        assert found[key].startswith('filter error_type = "parse_error" and operator = "parse-orders" and ')
    assert 'and status = "dead_lettered"\n| stats' in found["dlq-cause"]
    assert 'filter entity_id = "order-1"' in found["trace"]


def test_without_filters_the_queries_stand_and_nothing_is_traced_by_guess() -> None:
    found = queries({}, NOW - 3600, NOW, "eu-central-1", None)
    assert "trace" not in [query.key for query in found]
    assert found[0].text == (
        "filter ispresent(error_type)\n| stats count(*) as errors by error_type, bin(1m)\n| sort errors desc"
    )


@pytest.mark.parametrize(("hours", "width"), [(1, "1m"), (6, "5m"), (48, "1h"), (24 * 30, "1d")])
def test_the_width_of_bins_follows_the_range(hours: int, width: str) -> None:
    assert f"bin({width})" in by_key({}, hours * 3600)["latency"]


def test_filters_that_log_lines_do_not_carry_are_left_out() -> None:
    assert conditions({"host": "server-001", "source": "app"}, "1 = 1") == 'filter source = "app" and 1 = 1'


@given(st.text())
def test_no_value_can_end_its_literal(value: str) -> None:
    told, rest = read_literal(literal(value) + " and x")
    assert told == value
    assert rest == " and x"


def test_an_attack_stays_a_value() -> None:
    attack = 'x" or 1 = 1 | limit 10000 #\\'
    line = by_key({"entity_id": attack})["latency"].splitlines()[0]
    told, rest = read_literal(line.removeprefix("filter entity_id = "))
    assert told == attack
    assert rest == " and ispresent(latency_ms)"


def test_the_address_is_the_consoles() -> None:
    address = console_address(
        "eu-central-1", ["/aws/lambda/a", "/aws/lambda/b"], "fields @timestamp\n| limit 20", 0, 60
    )
    assert address == (
        "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#logsV2:logs-insights"
        "$3FqueryDetail$3D~(end~'1970-01-01T00*3a01*3a00.000Z~start~'1970-01-01T00*3a00*3a00.000Z"
        "~timeType~'ABSOLUTE~tz~'UTC~editorString~'fields*20*40timestamp*0a*7c*20limit*2020"
        "~source~(~'*2faws*2flambda*2fa~'*2faws*2flambda*2fb))"
    )


@given(st.text())
def test_any_query_survives_the_address(text: str) -> None:
    address = console_address("eu-central-1", LOG_GROUPS, text, NOW - 60, NOW)
    assert unpacked(address)["editorString"] == text
    assert re.fullmatch(r"[\x21-\x7e]+", address)


def test_the_log_groups_are_those_of_the_stack() -> None:
    resources = load_template()["Resources"]
    names = {r["Properties"].get("LogGroupName") for r in resources.values() if r["Type"] == "AWS::Logs::LogGroup"}
    assert set(LOG_GROUPS) <= names
