"""The call that is simulated: its ids, its limits, its policy and its arrival.

The world that it lives in is in ``simulated_world.py``.
"""

from __future__ import annotations

from asterisk_compliance.domain.call.events import EntryWire
from asterisk_compliance.domain.call.state import Arrival, CallLimits
from asterisk_compliance.domain.policy.notice import (
    Announcement,
    CaptureFrom,
    Consent,
    ConsentKeys,
    Notice,
    OnProblem,
    Policy,
    Prompt,
    Wording,
)
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.ids import ChannelId, call_id

NOTICE_MS, ANNOUNCEMENT_MS = 1_000, 400
LIMITS = CallLimits(
    notice_margin_ms=500, dialplan_ms=3_000, growth_ms=300, stop_ms=200, segment_ms=300
)
CALL = call_id(1_700_000_000_000, b"simulate")
CHANNEL = ChannelId("1700000000.1")


KEYS = ConsentKeys(accept="1", refuse="9", repeat="*", language="#")


def policy(
    capture: CaptureFrom = CaptureFrom.BRIDGED,
    consent: Consent = Consent.NOTICE,
    on_problem: OnProblem = OnProblem.CONTINUE,
) -> Policy:
    """Asks by the keys 1, 9, * and # in two languages; says all that it may have to say."""
    wordings = {
        language: Wording(
            language,
            "録音します",
            f"sound:/prompts/{language}/notice",
            NOTICE_MS,
            "t" * 64,
            "a" * 64,
        )
        for language in ("ja", "en")
    }
    notice = Notice("standard", "1", (PurposeCode("SERVICE"),), wordings)
    announcements = {
        kind: {
            language: Prompt(f"sound:/prompts/{language}/{kind}", ANNOUNCEMENT_MS)
            for language in wordings
        }
        for kind in Announcement
    }
    return Policy(
        "inbound",
        notice,
        ("ja", "en"),
        capture,
        "p" * 64,
        consent=consent,
        keys=KEYS,
        grace_ms=200,
        repeats_max=1,
        on_refusal=on_problem,
        on_notice_failure=on_problem,
        announcements=announcements,
    )


def arrival(**changed: object) -> Arrival:
    values: dict[str, object] = {
        "channel": CHANNEL,
        "linkedid": CHANNEL,
        "entry": EntryWire.ARI,
        "at_ms": 0,
        "policy": policy(),
        "policy_name": "inbound",
    }
    return Arrival(**{**values, **changed})  # type: ignore[arg-type]
