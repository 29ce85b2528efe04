"""Settings of access: what is missing or wrong stops the start, in one line that names it."""

from __future__ import annotations

from typing import Any

import pytest

from backend.contract.errors import InvalidInput
from dashboard.access.settings import load_access

SECRET = "0123456789abcdef0123456789abcdef"
OIDC = {
    "PULSEBOARD_AUTH": "oidc",
    "PULSEBOARD_SECRET_KEY": SECRET,
    "PULSEBOARD_OIDC_ISSUER": "https://login.example.com/realms/ops/",
    "PULSEBOARD_OIDC_CLIENT_ID": "pulseboard",
}
SIGNER = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/front/50dc6c495c0c9188"
PROXY = {
    "PULSEBOARD_AUTH": "proxy",
    "PULSEBOARD_PROXY_SIGNER": SIGNER,
    "PULSEBOARD_PROXY_ISSUER": "https://login.example.com",
    "PULSEBOARD_PROXY_CLIENT_ID": "client-1",
}


def refused(environ: dict[str, str]) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        load_access(environ)
    return caught.value


def test_without_any_setting_it_is_loopback_for_everybody() -> None:
    access = load_access({})
    assert (access.mode, access.hosts) == ("none", ("localhost", "127.0.0.1", "[::1]"))
    assert len(access.secret) >= 32
    assert access.secret != load_access({}).secret


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "dashboard.example.com", ""])
def test_without_sign_in_only_loopback_is_served(host: str) -> None:
    assert "is not loopback" in str(refused({"PULSEBOARD_HOST": host}))


@pytest.mark.parametrize("mode", [OIDC, PROXY], ids=["oidc", "proxy"])
def test_an_address_of_all_networks_needs_the_names_that_people_use(mode: dict[str, str]) -> None:
    assert refused({**mode, "PULSEBOARD_HOST": "0.0.0.0"}).field == "PULSEBOARD_ALLOWED_HOSTS"
    named = {**mode, "PULSEBOARD_HOST": "0.0.0.0", "PULSEBOARD_ALLOWED_HOSTS": "A.example.com, b.example.com:8050"}
    assert load_access(named).hosts[-2:] == ("a.example.com", "b.example.com:8050")
    public = load_access({**mode, "PULSEBOARD_HOST": "::", "PULSEBOARD_PUBLIC_URL": "https://Pulseboard.example.com/"})
    assert public.public_url == "https://pulseboard.example.com"
    assert "pulseboard.example.com" in public.hosts


@pytest.mark.parametrize(("mode", "missing"), [
    *((OIDC, name) for name in OIDC if name != "PULSEBOARD_AUTH"),
    *((PROXY, name) for name in PROXY if name != "PULSEBOARD_AUTH"),
])  # fmt: skip
def test_each_setting_that_a_mode_needs_is_named_when_missing(mode: dict[str, str], missing: str) -> None:
    assert refused({name: value for name, value in mode.items() if name != missing}).field == missing


@pytest.mark.parametrize(("changes", "field"), [
    ({"PULSEBOARD_AUTH": "basic"}, "auth"),
    ({"PULSEBOARD_SECRET_KEY": "hunter2"}, "PULSEBOARD_SECRET_KEY"),
    ({"PULSEBOARD_OIDC_ISSUER": "http://login.example.com"}, "PULSEBOARD_OIDC_ISSUER"),
    ({"PULSEBOARD_OIDC_ISSUER": "login.example.com"}, "PULSEBOARD_OIDC_ISSUER"),
    ({"PULSEBOARD_OPERATOR_CLAIM": "operators"}, "PULSEBOARD_OPERATOR_CLAIM"),
    ({"PULSEBOARD_OPERATOR_CLAIM": "=operators"}, "PULSEBOARD_OPERATOR_CLAIM"),
    ({"PULSEBOARD_ALLOWED_HOSTS": "https://a.example.com"}, "PULSEBOARD_ALLOWED_HOSTS"),
    ({"PULSEBOARD_ALLOWED_HOSTS": "*"}, "PULSEBOARD_ALLOWED_HOSTS"),
    ({"PULSEBOARD_PUBLIC_URL": "pulseboard.example.com"}, "PULSEBOARD_PUBLIC_URL"),
    ({"PULSEBOARD_PUBLIC_URL": "https://a.example.com/path"}, "PULSEBOARD_PUBLIC_URL"),
])  # fmt: skip
def test_what_is_wrong_is_named(changes: dict[str, str], field: str) -> None:
    error = refused({**OIDC, **changes})
    assert error.field == field
    assert "hunter2" not in str(error)


def test_a_signer_that_is_no_load_balancer_is_refused() -> None:
    assert refused({**PROXY, "PULSEBOARD_PROXY_SIGNER": "arn:aws:s3:::bucket"}).field == "PULSEBOARD_PROXY_SIGNER"


def test_the_keys_are_those_of_the_signers_region() -> None:
    proxy: Any = load_access(PROXY).proxy
    assert proxy.keys_url == "https://public-keys.auth.elb.eu-central-1.amazonaws.com"


def test_the_provider_may_be_on_loopback_without_tls() -> None:
    oidc: Any = load_access({**OIDC, "PULSEBOARD_OIDC_ISSUER": "http://127.0.0.1:9000"}).oidc
    assert oidc.issuer == "http://127.0.0.1:9000"
