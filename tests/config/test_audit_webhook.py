"""Receivers of rows, as the configuration names them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from sample_settings import accepted, asterisk, problems, raw

SECRET = "whsec_" + b64encode(bytes(32)).decode()


def with_webhook(*webhooks: dict[str, Any]) -> dict[str, Any]:
    given = {"name": "crm", "url": "https://crm.example.jp/calls", "secret_env": "CRM_SECRET"}
    return raw() | {"webhook": [given | one for one in webhooks]}


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.jp/calls?site=1",
        "https://[2001:db8::1]:8443/",
        "http://127.0.0.1:8080/calls",
        "http://[::1]:8080/",
        "http://localhost/",
    ],
)
def test_a_receiver_is_named_by_https_or_is_on_this_host(url):
    (webhook,) = accepted(with_webhook({"url": url})).webhook
    assert webhook.url == url


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("http://crm.example.jp/calls", "must be https://, or http:// on 127.0.0.1"),
        ("http://127.0.0.1.example.jp/", "must be https://, or http:// on 127.0.0.1"),
        ("ftp://127.0.0.1/", "must be https://, or http:// on 127.0.0.1"),
        ("https://", "must be https://HOST/PATH, without a user and without a fragment"),
        (
            "https://user:pass@host/",
            "must be https://HOST/PATH, without a user and without a fragment",
        ),
        ("https://host/#here", "must be https://HOST/PATH, without a user and without a fragment"),
        (
            "https://host/\r\nX: y",
            "must be https://HOST/PATH, without a user and without a fragment",
        ),
        ("https://host:99999/", "must be https://HOST/PATH, without a user and without a fragment"),
    ],
)
def test_any_other_url_is_refused(url, wrong):
    assert problems(with_webhook({"url": url})) == [f"webhook[1].url: {wrong}"]


def test_a_kind_that_is_none_is_refused_and_two_receivers_have_two_names():
    assert problems(with_webhook({"kinds": ["decision", "decided"]}, {})) == [
        "webhook[1].kinds.1: is no kind of row: docs/audit-kinds.md has them all",
        "webhook[2].name: is there twice",
    ]


@pytest.mark.parametrize(
    ("secret", "wrong"),
    [
        (None, "$CRM_SECRET is empty"),
        ("hunter2!", "a secret is no base64 text behind whsec_"),
        ("aHVudGVyMg==", "a secret must have 24 to 64 bytes: openssl rand -base64 32"),
        (f"{SECRET}\nhunter2!", "a secret is no base64 text behind whsec_"),
    ],
)
def test_a_secret_that_is_none_is_found_at_load_and_not_repeated(monkeypatch, secret, wrong):
    monkeypatch.setenv("ARI_SECRET", "x")
    monkeypatch.setenv("AMI_SECRET", "x")
    if secret is not None:
        monkeypatch.setenv("CRM_SECRET", secret)
    assert problems(with_webhook({}), secrets=True) == [f"webhook[1]: {wrong}"]


def test_two_secrets_are_two(monkeypatch):
    monkeypatch.setenv("CRM_SECRET", f"{SECRET}\n{SECRET.removeprefix('whsec_')}\n")
    (webhook,) = accepted(with_webhook({})).webhook
    assert webhook.secrets() == (bytes(32), bytes(32))
    assert "AAAA" not in repr(webhook)


def test_a_file_without_a_certificate_is_found_at_load(monkeypatch, tmp_path):
    for name in ("ARI_SECRET", "AMI_SECRET"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("CRM_SECRET", SECRET)
    empty = tmp_path / "ca.pem"
    empty.touch()
    wrong = "webhook[1].ca_file: holds no certificate in PEM that can be read"
    for file in (empty, tmp_path / "none"):
        assert problems(with_webhook({"ca_file": str(file)}), secrets=True) == [wrong]


def test_our_own_application_is_not_told():
    tells = {"user": "compliance", "secret_env": "ARI_SECRET", "tell": ["crm", "compliance"]}
    assert problems(asterisk(ari=tells)) == ["asterisk[1].ari.tell: names our own application"]
