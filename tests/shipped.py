"""The data that ships with the product, as its files say it."""

import tomllib
from importlib.resources import files
from typing import Any

from asterisk_compliance.domain.purposes import Purpose, PurposeCode

PURPOSE_TABLES: list[dict[str, Any]] = tomllib.loads(
    (files("asterisk_compliance") / "data" / "purposes.toml").read_text("utf-8")
)["purpose"]

PURPOSES = [
    Purpose(
        code=PurposeCode(entry["code"]),
        label=entry["label"],
        phrases={language: tuple(phrases) for language, phrases in entry["phrases"].items()},
        dpv=tuple(entry["dpv"]),
    )
    for entry in PURPOSE_TABLES
]
