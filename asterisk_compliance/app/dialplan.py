"""The dialplan routines, rendered for a site from ``dialplan/compliance.conf.j2``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

import jinja2

from asterisk_compliance import catalogue
from asterisk_compliance.app.result import (
    MAY_CALL_VARIABLE,
    MIXMONITOR_ID_VARIABLE,
    RESULT_VARIABLE,
    RESULT_VARIABLES,
    SEGMENT_VARIABLE,
)
from asterisk_compliance.config import AsteriskSettings, Settings
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.presets import emergency_numbers

TEMPLATE = "compliance.conf.j2"
DEFAULT_LIMIT_S = 30.0

PRINTABLE = r"\x20-\x7e\x80-\xff"
"""For ``FILTER()``: everything but control characters, with UTF-8 left whole."""

DIALLED = "${FILTER(0-9+*#,${CALLERID(dnid)}):0:40}"
"""What the caller dialled, without a character that could end an argument."""

CALLEE = "${FILTER(0-9+*#,${CALLERID(num)}):0:40}"
"""Whom somebody dialled, on that leg itself."""

ASKED = ("Pause", "Resume", "Start", "Stop", "Withdraw", "DoNotCall")
"""What can be asked in mid-call, by the names of the user events."""

AGENT_FEATURES = (
    "compliancepause",
    "complianceresume",
    "compliancestart",
    "compliancestop",
    "compliancerefuse",
    "compliancedonotcall",
)
"""Names in ``compliance-features.conf``."""

MAY_CALL_S = 3.0
"""How long a call waits for the answer whether its number may be called."""

DEFAULT_SPOOL = PurePath("/var/spool/asterisk/compliance")

_ADDRESS = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}")


def render(
    *,
    application: str,
    agi: str | None,
    limit_s: float,
    emergency: Iterable[str],
    spool: PurePath,
) -> str:
    """The text of ``compliance.conf``.

    Args:
        application: Name of the Stasis application.
        agi: ``host:port`` of the FastAGI entry; ``None`` leaves its routine out.
        limit_s: How long a caller waits for a service that hangs.
        emergency: Numbers whose calls are neither told nor recorded, whatever happens to us.
        spool: The directory of running recordings, as Asterisk sees it.
    """
    if agi is not None and not _ADDRESS.fullmatch(agi):
        raise ConfigError("dialplan", ["agi.host: must be a name or an IPv4 address"])
    environment = jinja2.Environment(  # noqa: S701 - it makes a dialplan, no HTML
        undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    text = (catalogue.dialplan() / TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(text).render(
        application=application,
        agi=agi,
        limit_s=f"{limit_s:g}",
        may_call=MAY_CALL_VARIABLE,
        may_call_s=f"{MAY_CALL_S:g}",
        agent_features="#".join(AGENT_FEATURES),
        asked=ASKED,
        callee=CALLEE,
        dialled=DIALLED,
        emergency="|".join(sorted(emergency)),
        printable=PRINTABLE,
        queue_characters=r"A-Za-z0-9_.\x2d",
        result=RESULT_VARIABLE,
        segment=SEGMENT_VARIABLE,
        spool=spool,
        variables=RESULT_VARIABLES,
        mixmonitor_id=MIXMONITOR_ID_VARIABLE,
    )


def render_default() -> str:
    """What ``dialplan/compliance.conf`` holds, for the default settings."""
    return render(
        application="compliance",
        agi="127.0.0.1:4573",
        limit_s=DEFAULT_LIMIT_S,
        emergency=emergency_numbers(),
        spool=DEFAULT_SPOOL,
    )


def render_for(settings: Settings, asterisk: AsteriskSettings) -> str:
    """For one Asterisk of a configuration."""
    return render(
        application=asterisk.ari.application if asterisk.ari else "compliance",
        agi=f"{asterisk.agi.host}:{asterisk.agi.port}" if asterisk.agi else None,
        limit_s=settings.limits.dialplan_s,
        emergency=_with_prefixes(settings),
        spool=asterisk.spool,
    )


def _with_prefixes(settings: Settings) -> set[str]:
    """Every way in which a caller of this site dials an emergency number."""
    chosen = settings.emergency
    numbers = emergency_numbers() if chosen.numbers is None else chosen.numbers
    return {prefix + number for number in numbers for prefix in ("", *chosen.outside_prefixes)}
