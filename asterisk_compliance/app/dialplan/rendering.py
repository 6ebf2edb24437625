"""Renders our dialplan routines for a site from ``dialplan/compliance.conf.j2``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath

import jinja2

from asterisk_compliance.app.dialplan.variables import (
    CANARY_VARIABLE,
    CHECK_EVENT,
    CHECK_VARIABLE,
    CHECKED_VARIABLE,
    FEATURE_OF_SEGMENTS,
    HEARING_ARGUMENT,
    HEARING_VARIABLE,
    LAST_CALL_VARIABLE,
    MAY_CALL_VARIABLE,
    MIXMONITOR_ID_VARIABLE,
    PAST_CALLS_VARIABLE,
    RESULT_VARIABLE,
    RESULT_VARIABLES,
    SEGMENT_VARIABLE,
)
from asterisk_compliance.app.policy.policies import Rendered, promised
from asterisk_compliance.app.policy.prompts import policies_for
from asterisk_compliance.config.settings import AsteriskSettings, Settings
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.dialplan_fallback import Promise
from asterisk_compliance.domain.call.state import EARLY_TOLERANCE_MS
from asterisk_compliance.domain.policy.notice import CaptureFrom, Fallback
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.ids import fallback_code
from asterisk_compliance.shipped import catalogue
from asterisk_compliance.shipped.presets import emergency_numbers

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

CANARY_TALKS_S = 4.0
"""How long a synthetic call is recorded; Asterisk writes to the disk every 2 s."""

CHECK_LOOKS_S, CHECK_AGENT_S, CHECK_LAST_S, CHECK_VOICE_S = 3.0, 1.0, 5.0, 20.0
"""Of the calls of ``check``: an answer can be read, an agent talks, the last one at most, and the
caller at most. ``Dial`` takes no limit below a second."""

DEFAULT_SPOOL = PurePath("/var/spool/asterisk/compliance")
DEFAULT_SOUNDS = PurePath("/usr/local/share/asterisk-compliance/sounds")

_ADDRESS = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}")
_RENDERED = re.compile(r"exten => (rendered[0-9a-f]{16}),1,")
_UNNAMED = f"rendered{0:016x}"


def render(
    *,
    application: str,
    agi: str | None,
    limit_s: float,
    emergency: Iterable[str],
    spool: PurePath,
    sounds: PurePath = DEFAULT_SOUNDS,
    promises: Iterable[Rendered] = (),
    hearing_s: float | None = None,
) -> str:
    """The text of ``compliance.conf``.

    Args:
        application: Name of the Stasis application.
        agi: ``host:port`` of the FastAGI entry; ``None`` leaves its routine out.
        limit_s: How long a caller waits for a service that hangs.
        emergency: Numbers whose calls are neither told nor recorded, whatever happens to us.
        spool: The directory of running recordings, as Asterisk sees it.
        sounds: The directory of prompts, as Asterisk sees it.
        promises: What it records alone while the service is not there; those of a policy
            together, in the order of its languages.
        hearing_s: How long a call may hear recordings; ``None`` leaves that routine out.
    """
    if agi is not None and not _ADDRESS.fullmatch(agi):
        raise ConfigError("dialplan", ["agi.host: must be a name or an IPv4 address"])
    environment = jinja2.Environment(  # noqa: S701 - it makes a dialplan, no HTML
        undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    text = (catalogue.dialplan() / TEMPLATE).read_text(encoding="utf-8")
    rendered = environment.from_string(text).render(
        application=application,
        agi=agi,
        limit_s=f"{limit_s:g}",
        may_call=MAY_CALL_VARIABLE,
        may_call_s=f"{MAY_CALL_S:g}",
        agent_features="#".join(AGENT_FEATURES),
        asked=ASKED,
        canary=CANARY_VARIABLE,
        canary_talks_s=f"{CANARY_TALKS_S:g}",
        check=CHECK_VARIABLE,
        check_event=CHECK_EVENT,
        checked=CHECKED_VARIABLE,
        check_looks_s=f"{CHECK_LOOKS_S:g}",
        check_agent_s=f"{CHECK_AGENT_S:g}",
        check_last_s=f"{CHECK_LAST_S:g}",
        check_voice_s=f"{CHECK_VOICE_S:g}",
        callee=CALLEE,
        dialled=DIALLED,
        emergency="|".join(sorted(emergency)),
        hearing=HEARING_VARIABLE,
        hearing_argument=HEARING_ARGUMENT,
        hearing_s=None if hearing_s is None else f"{hearing_s:g}",
        printable=PRINTABLE,
        queue_characters=r"A-Za-z0-9_.\x2d",
        rendered=_UNNAMED,
        result=RESULT_VARIABLE,
        segment=SEGMENT_VARIABLE,
        segment_feature=FEATURE_OF_SEGMENTS,
        sounds=sounds,
        spool=spool,
        variables=RESULT_VARIABLES,
        past_calls=(PAST_CALLS_VARIABLE, LAST_CALL_VARIABLE),
        mixmonitor_id=MIXMONITOR_ID_VARIABLE,
        fallback_reason=Reason.FALLBACK_NOTICE,
        promises=_in_dialplan(promises),
    )
    lines = [line for line in rendered.splitlines() if line and not line.lstrip().startswith(";")]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return rendered.replace(_UNNAMED, f"rendered{digest[:16]}")


def rendering_of(text: str) -> str:
    """The extension in ``compliance-check`` that only this text has, its comments aside."""
    found = _RENDERED.search(text)
    assert found is not None
    return found[1]


@dataclass(frozen=True, slots=True)
class _Promised:
    """A promise, in the words of the dialplan.

    Attributes:
        is_first: For whoever speaks none of the policy's languages.
        least_ms, most_ms: What its playback takes.
        how: Flags of MixMonitor, all of them fixed words.
    """

    policy: str
    language: str
    is_first: bool
    code: str
    sound: str
    least_ms: int
    most_ms: int
    notice: str
    purposes: str
    how: str


def _in_dialplan(promises: Iterable[Rendered]) -> list[_Promised]:
    return [
        _Promised(
            promise.policy,
            promise.language,
            number == 0,
            fallback_code(promise.digest),
            one.sound,
            max(0, promise.length_ms - EARLY_TOLERANCE_MS),
            promise.length_ms + one.margin_ms,
            promise.notice,
            "&".join(promise.purposes),
            _how(promise),
        )
        for _, group in groupby(promises, lambda one: one.promise.policy)
        for number, one in enumerate(group)
        for promise in [one.promise]
    ]


def _how(promise: Promise) -> str:
    bridged = "b" if promise.capture is CaptureFrom.BRIDGED else ""
    return bridged + (f"B({promise.beep_s})" if promise.beep_s else "")


def render_default() -> str:
    """What ``dialplan/compliance.conf`` holds, for the default settings."""
    return render(
        application="compliance",
        agi="127.0.0.1:4573",
        limit_s=DEFAULT_LIMIT_S,
        emergency=emergency_numbers(),
        spool=DEFAULT_SPOOL,
    )


def render_for(
    settings: Settings, asterisk: AsteriskSettings, source: str = "configuration"
) -> str:
    """For one Asterisk of a configuration.

    Raises:
        ConfigError: the dialplan shall play notices, and a prompt of them cannot be read.
    """
    alone = any(policy.fallback is Fallback.RECORD for policy in settings.policy)
    policies = policies_for(asterisk, settings, source) if alone else None
    return render(
        application=asterisk.ari.application if asterisk.ari else "compliance",
        agi=f"{asterisk.agi.host}:{asterisk.agi.port}" if asterisk.agi else None,
        limit_s=settings.limits.dialplan_s,
        emergency=emergency_with_prefixes(settings),
        spool=asterisk.spool,
        sounds=asterisk.sounds,
        promises=promised(asterisk, settings, policies) if policies else (),
        hearing_s=settings.hearing.call_s if settings.hearing and asterisk.ari else None,
    )


def emergency_with_prefixes(settings: Settings) -> set[str]:
    """Every way in which a caller of this site dials an emergency number."""
    chosen = settings.emergency
    numbers = emergency_numbers() if chosen.numbers is None else chosen.numbers
    return {prefix + number for number in numbers for prefix in ("", *chosen.outside_prefixes)}
