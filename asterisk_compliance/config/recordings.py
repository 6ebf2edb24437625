"""The tables ``[vault]``, ``[retention]`` and ``[export]``: where recordings are, and what ends.

Periods are in the tables of purposes, policies and notices. ``docs/configuration.md`` explains
every setting.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from asterisk_compliance.config.values import (
    AbsolutePath,
    ConfigTable,
    Country,
    PeriodText,
    SealingRecipient,
    Seconds,
)

_URL = re.compile(r"https://[^/\s@?#{}]+/[^\s@?#{}]*\{recording\}[^\s@?#{}]*")


def _recording_url(text: str) -> str:
    """HTTPS (draft-ietf-vcon-vcon-core-03, 2.4.1), without a user, with one place for the id."""
    if text and not _URL.fullmatch(text):
        raise ValueError("must be https://HOST/PATH with {recording} in it once")
    return text


class VaultSettings(ConfigTable):
    """Where recordings are kept, and to whose public keys they are encrypted (docs/sealing.md).

    Nobody is guessed: without a recipient it must be said that nothing is encrypted.
    """

    recordings: AbsolutePath
    recipients: tuple[SealingRecipient, ...] = ()
    encryption: Literal["age", "off"] = "age"
    sealers: Annotated[int, Field(ge=1, le=64)] = 2
    seal_s: Seconds = 600.0

    @model_validator(mode="after")
    def _says_for_whom(self) -> Self:
        if self.encryption == "age" and not self.recipients:
            raise ValueError(
                "recipients: is missing: asterisk-compliance init makes the officer's keys;"
                ' or say encryption = "off"'
            )
        if self.encryption == "off" and self.recipients:
            raise ValueError('recipients: they stand beside encryption = "off"')
        if len({one.lower() for one in self.recipients}) < len(self.recipients):
            raise ValueError("recipients: one is there twice")
        return self


class RetentionSettings(ConfigTable):
    """What ends, and who ends it.

    Attributes:
        release_by_second: Who placed a legal hold does not release it.
        erase_persons: What identifies the person in a call is erased so long after nothing of the
            call is kept any more; without it only on a wish.
    """

    release_by_second: bool = False
    erase_persons: PeriodText | None = None


class ExportSettings(ConfigTable):
    """``recording_url``: where whoever may can fetch a recording as it lies in the vault.

    ``storage_country``: where the vault is.
    """

    recording_url: Annotated[str, AfterValidator(_recording_url)] = ""
    storage_country: Country | None = None
