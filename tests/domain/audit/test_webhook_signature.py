"""Signatures of webhooks: the norm's own example, and everything that must not pass."""

from __future__ import annotations

from base64 import b64encode

import pytest

from asterisk_compliance.domain.audit.webhook_signature import (
    SIGNATURE,
    TIMESTAMP,
    check,
    read_secret,
    sign,
)
from asterisk_compliance.errors import WebhookRefused

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = (read_secret(SECRET),)
AT_S = 1_614_265_330
BODY = b'{"test": 2432232314}'
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(AT_S),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
OTHER = bytes(range(32))


def checked(headers=HEADERS, body=BODY, *, secrets=SECRETS, now_s=AT_S):
    check(secrets, headers, body, now_s=now_s, tolerance_s=300)


def test_the_example_of_the_norm_is_made_and_accepted():
    assert sign(SECRETS, HEADERS["webhook-id"], AT_S, BODY) == HEADERS
    checked()
    checked({name.title(): value for name, value in HEADERS.items()})


@pytest.mark.parametrize("away_s", [-300, 300])
def test_the_clocks_may_differ_by_the_tolerance_and_no_more(away_s):
    checked(now_s=AT_S + away_s)
    with pytest.raises(WebhookRefused, match="another time"):
        checked(now_s=AT_S + away_s + (1 if away_s > 0 else -1))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        *({k: v for k, v in HEADERS.items() if k != name} for name in HEADERS),
        HEADERS | {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJel"},
        HEADERS | {"webhook-id": "a.b"},
        HEADERS | {TIMESTAMP: str(AT_S + 1)},
        HEADERS | {TIMESTAMP: f"0{AT_S}"},
        HEADERS | {TIMESTAMP: "yesterday"},
        HEADERS | {SIGNATURE: ""},
        HEADERS | {SIGNATURE: "v1,"},
        HEADERS | {SIGNATURE: HEADERS[SIGNATURE].replace("v1,", "v2,")},
        HEADERS | {SIGNATURE: HEADERS[SIGNATURE].replace("v1,", "v1a,")},
        HEADERS | {SIGNATURE: "v1,ü"},
    ],
)
def test_a_header_that_is_another_is_refused(headers):
    with pytest.raises(WebhookRefused):
        checked(headers)


@pytest.mark.parametrize("body", [b"", BODY + b"\n", BODY.replace(b"2", b"3")])
def test_a_body_that_is_another_is_refused(body):
    with pytest.raises(WebhookRefused, match="no signature"):
        checked(body=body)


def test_while_a_secret_is_exchanged_either_is_enough():
    both = sign([OTHER, *SECRETS], "m", AT_S, BODY)
    assert both[SIGNATURE].count("v1,") == 2
    for secret in (OTHER, *SECRETS):
        checked(both, secrets=[secret])
    with pytest.raises(WebhookRefused):
        checked(both, secrets=[bytes(32)])
    with pytest.raises(WebhookRefused):
        checked(both, secrets=[])


@pytest.mark.parametrize("size", [24, 64])
def test_a_secret_is_read_with_or_without_its_prefix(size):
    text = b64encode(bytes(size)).decode()
    assert read_secret(f"whsec_{text}\n") == read_secret(text) == bytes(size)


@pytest.mark.parametrize("size", [0, 23, 65])
def test_a_secret_that_is_too_short_or_too_long_is_none(size):
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        read_secret(b64encode(bytes(size)).decode())


@pytest.mark.parametrize("text", ["password!", "whsec_whsec_AAAA", "ü" * 40])
def test_a_secret_that_is_not_base64_is_not_repeated(text):
    with pytest.raises(ValueError, match="base64") as caught:
        read_secret(text)
    assert text not in str(caught.value)
