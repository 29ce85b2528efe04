"""Each role and policy allows what its principal was recorded to ask for, and nothing else.

The calls are recorded on the embedded engine (`make record`, `tests/permissions`) and kept in
``recorded_calls.json``; what AWS's own services ask for with a role's rights is in ``tests/permissions/implied.py``.
"""

from __future__ import annotations

import ast
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from backend.local.engine import ACCOUNT, REGION
from backend.settings import Settings
from tests.permissions import calls as names
from tests.permissions.calls import UNKNOWN, Call, arn
from tests.permissions.exceptions import EXCEPTIONS, Unrecorded
from tests.permissions.implied import implied, of_state_machine
from tests.permissions.policies import Policies, Statement
from tests.permissions.record import load

ROOT = Path(__file__).parents[2]
POLICIES = Policies()
RECORDED = load()
READ = "DashboardReadPolicy"
MANAGED = {
    "dashboard-read": (READ,),
    "dashboard-history": (READ, "DashboardHistoryPolicy"),
    "dashboard-act": (READ, "DashboardActPolicy"),
    "tokens": ("DisplayTokensPolicy",),
    "job": ("JobPolicy",),
}
"""Principals that are no function: the managed policies they have; the last is the one they are there to try."""
BUCKET = Settings().bucket
NO_RESOURCES = {
    "cloudwatch:PutMetricData",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListMetrics",
    "cloudwatch:DescribeAlarms",
}
"""Actions that know no resources by AWS's Service Authorization Reference, so that ``*`` is all there is to say."""


def allowed(principal: str) -> list[Statement]:
    """Everything that the principal may do."""
    if principal in MANAGED:
        return POLICIES.managed(*MANAGED[principal])
    return POLICIES.of_role(POLICIES.functions()[principal])


def own(principal: str) -> list[Statement]:
    """The statements that this principal is there to try."""
    return POLICIES.managed(MANAGED[principal][-1]) if principal in MANAGED else allowed(principal)


def needed(principal: str) -> set[Call]:
    """What the principal asks for, and what AWS asks for on its behalf."""
    recorded = RECORDED.get(principal, set())
    return recorded | implied(POLICIES, principal, recorded, BUCKET)


def permissions(statement: Statement) -> list[tuple[str, str]]:
    """Each action on each resource by itself; ``index/*`` is as many as there are indexes."""
    found = []
    for pattern in statement.resources:
        units = [pattern]
        if "/index/" in pattern:
            units = [index for index in POLICIES.indexes() if fnmatchcase(index, pattern)]
        found += [(action, unit) for action in statement.actions for unit in units]
    return found


def unused(principal: str) -> list[tuple[str, str]]:
    """What the principal may do and nobody saw it do."""
    asked = needed(principal)
    return [
        (action, resource)
        for statement in own(principal)
        for action, resource in permissions(statement)
        if not any(
            call.action == action
            and (fnmatchcase(call.resource, resource) or call.resource == resource)
            and statement.holds(call)
            for call in asked
        )
    ]


PRINCIPALS = sorted([*POLICIES.functions(), *MANAGED])


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_nothing_is_missing(principal: str) -> None:
    statements = allowed(principal)
    missing = [str(call) for call in sorted(needed(principal)) if not any(one.allows(call) for one in statements)]
    assert missing == [], f"{principal} asks for what its policies do not allow"


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_nothing_is_extra(principal: str) -> None:
    excepted = {(entry.action, entry.resource) for entry in EXCEPTIONS if entry.principal == principal}
    extra = [permission for permission in unused(principal) if permission not in excepted]
    assert extra == [], f"{principal} may do what it was never seen to do: record it, or take it away"


@pytest.mark.parametrize("entry", EXCEPTIONS, ids=str)
def test_an_exception_is_needed_and_its_call_is_proven_elsewhere(entry: Unrecorded) -> None:
    assert (entry.action, entry.resource) in unused(entry.principal), "it is recorded by now, or no longer allowed"
    path, _, name = entry.proof.partition("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_call_that_was_recorded_is_known_and_somebodys() -> None:
    assert set(RECORDED) <= set(PRINCIPALS), "recorded of whom there is no policy: run make record"
    unknown = [str(call) for found in RECORDED.values() for call in found if call.resource == UNKNOWN]
    assert unknown == [], "say in tests/permissions/calls.py what these operations have to be allowed"


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_every_principal_was_recorded(principal: str) -> None:
    assert RECORDED.get(principal)


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_a_star_stands_only_where_the_service_knows_no_resources(principal: str) -> None:
    for statement in allowed(principal):
        assert not [action for action in statement.actions if "*" in action]
        for resource in statement.resources:
            if resource == "*":
                assert set(statement.actions) <= NO_RESOURCES, statement.where
            if resource.startswith(arn("s3", f"{BUCKET}/")):
                assert resource.removeprefix(arn("s3", f"{BUCKET}/")).count("/") >= 1, f"{statement.where}: a prefix"


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_metrics_are_put_into_the_products_namespace_only(principal: str) -> None:
    for statement in allowed(principal):
        if "cloudwatch:PutMetricData" in statement.actions:
            assert statement.condition == {"StringEquals": {"cloudwatch:namespace": "Pulseboard"}}


def test_roles_can_be_taken_by_the_service_they_are_for_and_by_nobody_else() -> None:
    functions = set(POLICIES.functions().values())
    for role in POLICIES.roles():
        (statement,) = POLICIES.template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        service = statement["Principal"]["Service"]
        assert (service == "lambda.amazonaws.com") == (role in functions), role
        assert service in ("lambda.amazonaws.com", "states.amazonaws.com", "events.amazonaws.com"), role
        if service != "lambda.amazonaws.com":
            assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_state_machine_may_run_and_tell_what_its_states_name() -> None:
    asked = of_state_machine(POLICIES)
    statements = POLICIES.of_role("StateMachineRole")
    assert asked
    assert [str(call) for call in asked if not any(one.allows(call) for one in statements)] == []
    named = {
        (action, resource)
        for statement in statements
        for action in statement.actions
        for resource in statement.resources
        if resource != "*"
    }
    assert named == {(call.action, call.resource) for call in asked}


def test_the_schedule_may_start_the_state_machine_and_nothing_else() -> None:
    (statement,) = POLICIES.of_role("PipelineRuleRole")
    assert statement.actions == ("states:StartExecution",)
    assert statement.resources == (arn("states", "stateMachine:InfraMonitoringPipeline"),)


def test_a_producer_may_send_events_and_nothing_else() -> None:
    (statement,) = POLICIES.managed("ProducerPolicy")
    assert statement.actions == ("execute-api:Invoke",)
    assert [resource.rpartition("$default/")[2] for resource in statement.resources] == ["POST/ingest"]


def test_the_account_is_the_engines() -> None:
    assert (names.ACCOUNT, names.REGION) == (ACCOUNT, REGION)


def test_a_right_too_much_and_one_too_few_are_both_found(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = dict(RECORDED)
    merge = recorded["metrics-merge"]
    monkeypatch.setitem(RECORDED, "metrics-merge", {call for call in merge if call.action != "dynamodb:Query"})
    assert ("dynamodb:Query", arn("dynamodb", "table/InfraMetrics/index/metric_type-timestamp-index")) in unused(
        "metrics-merge"
    )
    monkeypatch.setitem(RECORDED, "metrics-merge", {*merge, Call("s3:DeleteObject", arn("s3", f"{BUCKET}/metrics/"))})
    with pytest.raises(AssertionError, match="s3:DeleteObject"):
        test_nothing_is_missing("metrics-merge")
