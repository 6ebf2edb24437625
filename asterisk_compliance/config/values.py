"""The values that a setting can hold, and the base of every table."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
)

from asterisk_compliance.age import check_recipient
from asterisk_compliance.domain.periods import Period, read_period
from asterisk_compliance.domain.phone_numbers import COUNTRIES
from asterisk_compliance.shipped.presets import shipped_presets

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Code = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,31}$")]
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
PromptName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$")]
Digits = Annotated[str, Field(pattern=r"^[0-9]{1,15}$")]
DialKey = Annotated[str, Field(pattern=r"^[0-9*#]?$")]
EndpointPattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+/\S{1,120}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _plain(path: Path) -> Path:
    """Asterisk splits application arguments at commas and brackets, and substitutes ``$``."""
    if set(str(path)) & set(",()[]{}$\"'\\;|&\r\n "):
        raise ValueError("must not contain spaces, quotes or characters of dialplan syntax")
    return _absolute(path)


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("is no ISO 3166-1 country code")
    return code


def _preset(name: str) -> str:
    if name not in shipped_presets():
        raise ValueError("there is no such preset")
    return name


def _destination(text: str) -> str:
    """``dir:/PATH``, ``https://…``, or ``stdout``; a URL holds no user and no fragment."""
    kind, _, rest = text.partition(":")
    directory = kind == "dir" and Path(rest).is_absolute()
    web = re.fullmatch(r"https?://[^/\s@?#]+(/[^\s@#]*)?", text)
    if not (text == "stdout" or directory or web):
        raise ValueError("must be dir:/PATH, https://HOST/PATH or stdout")
    return text


PeriodText = Annotated[Period, BeforeValidator(lambda text: read_period(str(text)))]
Country = Annotated[str, AfterValidator(_country)]
DestinationUrl = Annotated[str, AfterValidator(_destination)]
PresetName = Annotated[str, AfterValidator(_preset)]
SealingRecipient = Annotated[str, AfterValidator(check_recipient)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
AsteriskPath = Annotated[Path, AfterValidator(_plain)]


class ConfigTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretSetting(ConfigTable):
    """It comes from a file or the environment, never from here."""

    secret_file: AbsolutePath | None = None
    secret_env: str | None = None

    def secret(self) -> SecretStr:
        """Read the secret.

        Raises:
            ValueError: neither or both sources are given, or the source is empty. The message
                names the source and never repeats what it holds.
        """
        if (self.secret_file is None) == (self.secret_env is None):
            raise ValueError("give either secret_file or secret_env")
        if self.secret_env is not None:
            secret, source = os.environ.get(self.secret_env, ""), f"${self.secret_env}"
        else:
            assert self.secret_file is not None
            source = str(self.secret_file)
            try:
                secret = self.secret_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ValueError(f"{source}: {error.strerror}") from None
            except UnicodeDecodeError:
                raise ValueError(f"{source}: is not UTF-8 text") from None
        if not secret:
            raise ValueError(f"{source} is empty")
        return SecretStr(secret)
