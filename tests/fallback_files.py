"""Names that the dialplan gives to what it records alone."""

from __future__ import annotations

from asterisk_compliance.ids import ChannelId


def fallback_name(code: str, channel: ChannelId) -> str:
    """The file in the spool that holds the caller's direction."""
    return f"d-{code}-{channel}-rx.wav"
