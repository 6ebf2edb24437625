"""A small configuration that is right, as TOML says it, to be broken in one place at a time."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from asterisk_compliance.config.settings import Settings, parse
from asterisk_compliance.errors import ConfigError

_RAW: dict[str, Any] = {
    "controller": {"name": "Example K.K.", "contact": "privacy@example.jp"},
    "asterisk": [
        {
            "node": "pbx1",
            "spool": "/var/spool/asterisk/compliance",
            "sounds": "/usr/share/asterisk/sounds/compliance",
            "ari": {"user": "compliance", "secret_env": "ARI_SECRET"},
            "ami": {"user": "compliance", "secret_env": "AMI_SECRET"},
        }
    ],
    "notice": [
        {
            "id": "standard",
            "version": "1",
            "purposes": ["SERVICE", "QUALITY"],
            "wording": {
                "ja": {"prompt": "notice-standard"},
                "en": {"prompt": "notice-standard"},
            },
        }
    ],
    "policy": [{"name": "inbound", "notice": "standard", "languages": ["ja", "en"]}],
    "audit": {"store": "/var/lib/asterisk-compliance/store"},
    "vault": {"recordings": "/var/lib/asterisk-compliance/recordings", "encryption": "off"},
}


def raw() -> dict[str, Any]:
    """A copy of one's own."""
    return deepcopy(_RAW)


def settings(**tables: Any) -> Settings:
    """The settings, with some of the top-level tables exchanged; no secret is read."""
    return parse({**raw(), **tables}, secrets=False)


def problems(value: dict[str, Any], *, secrets: bool = False) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(value, secrets=secrets)
    assert caught.value.exit_code == 2
    return caught.value.problems


def accepted(value: dict[str, Any]) -> Settings:
    return parse(value, secrets=False)


def another(node: str = "pbx2", **changed: Any) -> dict[str, Any]:
    """A second Asterisk, which has nothing in common with the first."""
    (first,) = raw()["asterisk"]
    own = {
        "node": node,
        "spool": f"/var/spool/{node}/compliance",
        "ari": first["ari"] | {"url": f"http://{node}.example:8088/ari"},
        "ami": first["ami"] | {"host": f"{node}.example"},
    }
    return first | own | changed


def asterisk(**changed: Any) -> dict[str, Any]:
    value = raw()
    value["asterisk"][0] |= changed
    return value
