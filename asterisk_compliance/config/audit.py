"""The tables ``[audit]``, ``[[webhook]]`` and ``[reconcile]``: the log, and who gets its rows.

``docs/configuration.md`` explains every setting, ``docs/developers.md`` the webhooks.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from asterisk_compliance.config.values import (
    AbsolutePath,
    ConfigTable,
    Count,
    DestinationUrl,
    Name,
    Seconds,
    SecretSetting,
)
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.audit.webhook_signature import read_secret

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _receiver(url: str) -> str:
    """``https://``, or on this host ``http://``; what is sent must not be read on the way."""
    wrong = "must be https://HOST/PATH, without a user and without a fragment"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(wrong) from None
    if not host or parts.username is not None or parts.fragment or set(url) & set(" \t\r\n"):
        raise ValueError(wrong)
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise ValueError("must be https://, or http:// on 127.0.0.1")
    return url


def _kind(name: object) -> Kind:
    try:
        return Kind(str(name))
    except ValueError:
        raise ValueError("is no kind of row: docs/audit-kinds.md has them all") from None


class AuditSettings(ConfigTable):
    """The log, who signs its checkpoints, and where they go (docs/keys.md).

    ``site`` and the names of the nodes make the origin of a new log, with the log's own id.
    """

    store: AbsolutePath
    jsonl: AbsolutePath | None = None
    jsonl_mib: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    jsonl_files: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    site: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,128}$")] | None = None
    signing_key: AbsolutePath | None = None
    checkpoint_rows: Count = 1_000
    checkpoint_s: Seconds = 300.0
    checkpoints_to: tuple[DestinationUrl, ...] = ()

    @property
    def key_path(self) -> Path:
        return self.signing_key or self.store / "signing.key"


class WebhookSettings(SecretSetting):
    """One receiver. A ``secret_file`` may hold several secrets, a line each: while one replaces
    another, messages bear both signatures.
    """

    name: Name
    url: Annotated[str, AfterValidator(_receiver)]
    ca_file: AbsolutePath | None = None
    kinds: tuple[Annotated[Kind, BeforeValidator(_kind)], ...] = ()
    first_seq: Annotated[int, Field(ge=0)] = 0
    rows_max: Annotated[int, Field(ge=1, le=1_000)] = 100
    request_s: Seconds = 10.0
    retry_max_s: Seconds = 300.0
    behind_s: Annotated[float, Field(ge=1, le=604_800)] = 3600.0

    def secrets(self) -> tuple[bytes, ...]:
        """Every secret that messages are signed by.

        Raises:
            ValueError: as :meth:`~asterisk_compliance.config.values.SecretSetting.secret`, or one
                of them is none; the message repeats nothing of it.
        """
        return tuple(map(read_secret, self.secret().get_secret_value().split()))

    def tls(self) -> ssl.SSLContext:
        """How the receiver proves who it is.

        Raises:
            OSError: ``ca_file`` holds no certificate.
        """
        return ssl.create_default_context(cafile=self.ca_file)


class ReconcileSettings(ConfigTable):
    """What ``reconcile`` compares the log with, where its options say nothing else."""

    contexts: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    cdr: tuple[AbsolutePath, ...] = ()
    cdr_columns: tuple[str, ...] = ()
    cel: tuple[AbsolutePath, ...] = ()
    cel_columns: tuple[str, ...] = ()


def unusable_webhooks(tables: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the files that webhooks name."""
    for number, webhook in tables.get("webhook", {}).items():
        try:
            webhook.secrets()
        except ValueError as error:
            yield f"webhook[{number}]: {_one_secret(str(error))}"
        try:
            webhook.tls()
        except OSError:
            yield f"webhook[{number}].ca_file: holds no certificate in PEM that can be read"


def _one_secret(why: str) -> str:
    return f"a secret {why}" if why.startswith(("is ", "must ")) else why
