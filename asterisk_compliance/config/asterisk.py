"""The table ``[[asterisk]]``: one Asterisk, its wires, and another recorder beside us.

``docs/configuration.md`` explains every setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import Field, IPvAnyNetwork

from asterisk_compliance.config.values import (
    AbsolutePath,
    AsteriskPath,
    ConfigTable,
    EndpointPattern,
    Name,
    Port,
    Seconds,
    SecretSetting,
)

Sounds = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./:+&-]{1,200}$")]


class _Login(SecretSetting):
    """A user of Asterisk."""

    user: Annotated[str, Field(min_length=1)]


class AriSettings(_Login):
    url: Annotated[str, Field(pattern=r"^https?://[^/\s@]+(/[^\s?#]*)?/ari$")] = (
        "http://127.0.0.1:8088/ari"
    )
    application: Name = "compliance"
    tell: tuple[Name, ...] = ()
    reply_s: Seconds = 5.0
    reconnect_max_s: Seconds = 30.0


class AmiSettings(_Login):
    host: str = "127.0.0.1"
    port: Port = 5038
    reply_s: Seconds = 5.0
    reconnect_max_s: Seconds = 30.0


class AgiSettings(ConfigTable):
    host: str = "127.0.0.1"
    port: Port = 4573
    permit: tuple[IPvAnyNetwork, ...] = (IPv4Network("127.0.0.1/32"), IPv6Network("::1/128"))
    header_s: Seconds = 5.0
    connections_max: Annotated[int, Field(ge=1)] = 1_000


class ObserveSettings(ConfigTable):
    """``notices``: the length of each, in seconds, by its sounds as ``Playback()`` is given them.

    Empty where the site has none: then every recording is untold.
    """

    notices: Mapping[Sounds, Annotated[float, Field(gt=0, le=3600)]]


class AsteriskSettings(ConfigTable):
    """One Asterisk.

    ``spool`` and ``sounds`` are paths as *Asterisk* sees them; ``…_here`` are the same
    directories as this service sees them, where that differs. ``staff`` and ``consenting`` are
    patterns of endpoints, such as ``PJSIP/agent-*``; ``segments`` says that ``features.conf`` is
    wired (docs/wiring.md). ``dialplan`` is its extensions.conf, which ``check`` reads.
    """

    node: Name
    ari: AriSettings | None = None
    ami: AmiSettings | None = None
    agi: AgiSettings | None = None
    observe: ObserveSettings | None = None
    spool: AsteriskPath
    spool_here: AbsolutePath | None = None
    sounds: AsteriskPath
    sounds_here: AbsolutePath | None = None
    staff: tuple[EndpointPattern, ...] = ()
    consenting: tuple[EndpointPattern, ...] = ()
    dialplan: AbsolutePath | None = None
    segments: bool = True
    show_agents: bool = True
    show_in_name: bool = False

    @property
    def spool_path(self) -> Path:
        return self.spool_here or self.spool

    @property
    def sounds_path(self) -> Path:
        return self.sounds_here or self.sounds
