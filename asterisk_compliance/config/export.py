"""The table ``[export]``: what machine-readable exports say that no row does (docs/export.md)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from asterisk_compliance.config.tables import ConfigTable, Country

_URL = re.compile(r"https://[^/\s@?#{}]+/[^\s@?#{}]*\{recording\}[^\s@?#{}]*")


def _recording_url(text: str) -> str:
    """HTTPS (draft-ietf-vcon-vcon-core-03, 2.4.1), without a user, with one place for the id."""
    if text and not _URL.fullmatch(text):
        raise ValueError("must be https://HOST/PATH with {recording} in it once")
    return text


class ExportSettings(ConfigTable):
    """``recording_url``: where whoever may can fetch a recording as it lies in the vault.

    ``storage_country``: where the vault is.
    """

    recording_url: Annotated[str, AfterValidator(_recording_url)] = ""
    storage_country: Country | None = None
