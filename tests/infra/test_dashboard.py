"""The dashboard's stack: nobody gets in but through the sign-in, and the container may do what the parent says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cfnlint.api import lint_file

from backend.local.template import load_template, template_path
from backend.settings import VARIABLES
from dashboard.access.gate import DISPLAY_COOKIE, OPEN, PROBES, STATIC
from dashboard.access.settings import load_access

PARENT = load_template()
PATH = template_path().with_name("dashboard.yaml")
TEMPLATE = load_template(PATH)
RESOURCES = TEMPLATE["Resources"]
RULES = {name: entry["Properties"] for name, entry in RESOURCES.items() if entry["Type"].endswith("::ListenerRule")}
CONTAINER = RESOURCES["Task"]["Properties"]["ContainerDefinitions"][0]
ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
DOCUMENTED = (ROOT / "docs/configuration.md").read_text("utf-8")
"""Compared with the code in tests/docs/test_configuration.py."""


def of(resource: str) -> Any:
    return RESOURCES[resource]["Properties"]


def environment() -> dict[str, Any]:
    entries = [entry for entry in CONTAINER["Environment"] if "Name" in entry]
    entries += [entry["Fn::If"][1] for entry in CONTAINER["Environment"] if "Fn::If" in entry]
    return {entry["Name"]: entry["Value"] for entry in entries}


def actions(listener: Any) -> list[str]:
    return [action["Type"] for action in listener.get("DefaultActions", listener.get("Actions"))]


def test_it_is_clean_for_cfn_lint() -> None:
    assert lint_file(PATH) == []


def test_the_parent_gives_it_every_parameter_and_no_other() -> None:
    nested = PARENT["Resources"]["DashboardStack"]
    assert nested["Condition"] == "WithDashboard"
    assert set(nested["Properties"]["Parameters"]) == set(TEMPLATE["Parameters"])
    defaults = {
        name: TEMPLATE["Parameters"][name].get("Default")
        for name, value in nested["Properties"]["Parameters"].items()
        if str(value.get("Ref", "")).startswith("Dashboard") and "Default" in TEMPLATE["Parameters"][name]
    }
    own = {"Tasks", "Cpu", "Memory", "RedisUrl", "AssignPublicIp", "AllowedCidr", "OperatorClaim"}
    assert defaults == {name: PARENT["Parameters"][f"Dashboard{name}"]["Default"] for name in own}


def test_http_only_redirects() -> None:
    assert actions(of("HttpListener")) == ["redirect"]
    assert of("HttpListener")["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS"
    assert of("HttpsListener")["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-")


def test_everything_asks_for_the_sign_in_but_what_is_named_here() -> None:
    assert actions(of("HttpsListener")) == ["authenticate-oidc", "forward"]
    open_rules = {name for name, rule in RULES.items() if actions(rule) == ["forward"]}
    assert open_rules == {"OpenRule", "StaticRule", "DisplayRule", "MetricsRule"}
    paths = [
        path
        for name in ("OpenRule", "StaticRule")
        for condition in RULES[name]["Conditions"]
        for path in condition["PathPatternConfig"]["Values"]
    ]
    # The gate answers these to anybody; they hold no data.
    harmless = {*OPEN, *PROBES, *(f"{prefix}*" for prefix in STATIC)}
    assert set(paths) <= harmless
    assert set(PROBES) <= set(paths)
    assert "/display" in paths


def test_displays_pass_with_their_cookie_and_prometheus_with_its_token() -> None:
    (condition,) = RULES["DisplayRule"]["Conditions"]
    assert condition["HttpHeaderConfig"] == {"HttpHeaderName": "Cookie", "Values": [f"*{DISPLAY_COOKIE}=*"]}
    fields = {condition["Field"] for condition in RULES["MetricsRule"]["Conditions"]}
    assert fields == {"path-pattern", "http-header"}


def test_scripts_are_told_401_instead_of_being_sent_to_the_provider() -> None:
    config = RULES["ApiRule"]["Actions"][0]["AuthenticateOidcConfig"]
    assert config["OnUnauthenticatedRequest"] == "deny"
    shared = {
        name: value for name, value in config.items() if name not in ("OnUnauthenticatedRequest", "SessionTimeout")
    }
    default = of("HttpsListener")["DefaultActions"][0]["AuthenticateOidcConfig"]
    assert shared.items() <= default.items()


def test_rules_keep_to_what_a_load_balancer_takes() -> None:
    """Three values a condition, five a rule, each priority once."""
    priorities = [rule["Priority"] for rule in RULES.values()]
    assert len(set(priorities)) == len(priorities)
    for rule in RULES.values():
        counts = [
            len((condition.get("PathPatternConfig") or condition.get("HttpHeaderConfig"))["Values"])
            for condition in rule["Conditions"]
        ]
        assert max(counts) <= 3
        assert sum(counts) <= 5


def test_the_container_may_write_nothing_but_tmp_and_has_no_rights() -> None:
    assert CONTAINER["ReadonlyRootFilesystem"] is True
    assert CONTAINER["User"] == "10001"
    assert CONTAINER["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert [mount["ContainerPath"] for mount in CONTAINER["MountPoints"]] == ["/tmp"]
    assert "USER 10001" in DOCKERFILE
    assert 'VOLUME ["/tmp"]' in DOCKERFILE


def test_the_role_is_the_parents_policies_and_acting_needs_operators() -> None:
    role = of("TaskRole")
    assert "Policies" not in role
    assert role["ManagedPolicyArns"] == [
        {"Ref": "ReadPolicyArn"},
        {"Ref": "HistoryPolicyArn"},
        {"Fn::If": ["HasOperators", {"Ref": "ActPolicyArn"}, {"Ref": "AWS::NoValue"}]},
    ]
    given = PARENT["Resources"]["DashboardStack"]["Properties"]["Parameters"]
    assert given["ReadPolicyArn"] == {"Ref": "DashboardReadPolicy"}
    assert given["ActPolicyArn"] == {"Ref": "DashboardActPolicy"}


def test_starting_a_container_needs_its_image_its_log_and_its_secret() -> None:
    (policy,) = of("ExecutionRole")["Policies"]
    found = {entry["Sid"]: entry for entry in policy["PolicyDocument"]["Statement"]}
    assert set(found) == {"Registry", "Image", "Log", "Secret"}
    assert [sid for sid, entry in found.items() if entry["Resource"] == "*"] == ["Registry"]
    assert found["Secret"]["Resource"] == {"Ref": "SessionSecret"}


def test_only_the_load_balancer_reaches_the_container() -> None:
    (rule,) = of("TaskGroup")["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == {"Fn::GetAtt": "LoadBalancerGroup.GroupId"}
    assert "CidrIp" not in rule
    assert {entry["FromPort"] for entry in of("LoadBalancerGroup")["SecurityGroupIngress"]} == {80, 443}


def test_a_version_that_does_not_come_up_is_taken_back() -> None:
    deployment = of("Service")["DeploymentConfiguration"]
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert deployment["MinimumHealthyPercent"] == 100


def test_an_outage_of_aws_ends_no_container() -> None:
    assert of("TargetGroup")["HealthCheckPath"] == "/healthz"
    assert "/healthz" in CONTAINER["HealthCheck"]["Command"][-1]


def test_the_dashboard_starts_with_the_variables_it_is_given() -> None:
    given = environment()
    secrets = {entry["Name"] for entry in CONTAINER["Secrets"]}
    assert [name for name in {*given, *secrets} if f"`{name}`" not in DOCUMENTED] == []
    # What it replays, redrives and wakes is the stack's.
    assert {name for name in VARIABLES.values() if name.endswith("QUEUE_URL")} - set(given) == {"RETRY_QUEUE_URL"}
    text = {name: value for name, value in given.items() if isinstance(value, str)}
    access = load_access(
        text
        | {
            "PULSEBOARD_SECRET_KEY": "x" * of("SessionSecret")["GenerateSecretString"]["PasswordLength"],
            "PULSEBOARD_PUBLIC_URL": "https://pulseboard.example.com",
            "PULSEBOARD_PROXY_SIGNER": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/x/1",
            "PULSEBOARD_PROXY_ISSUER": "https://login.example.com",
            "PULSEBOARD_PROXY_CLIENT_ID": "pulseboard",
        }
    )
    assert (access.mode, access.secret) == ("proxy", b"x" * 64)


def test_no_secret_stands_in_the_environment() -> None:
    assert not [name for name in environment() if re.search(r"SECRET|TOKEN|PASSWORD", name)]
    for listener in (of("HttpsListener")["DefaultActions"], RULES["ApiRule"]["Actions"]):
        assert "{{resolve:secretsmanager:" in str(listener[0]["AuthenticateOidcConfig"]["ClientSecret"])


def test_logs_end() -> None:
    assert of("Logs")["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_the_image_is_pinned_and_brings_no_installer() -> None:
    assert re.search(r"^ARG PYTHON=python:3\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert DOCKERFILE.count("FROM ${PYTHON}") == DOCKERFILE.count("FROM ") == 2
    final = DOCKERFILE.rpartition("FROM ")[2]
    assert "pip uninstall" in final
    assert "HEALTHCHECK" in final
    assert "org.opencontainers.image.revision" in final
