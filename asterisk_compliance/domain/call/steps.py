"""Names that commands and events share."""

from __future__ import annotations

from enum import StrEnum


class Deadline(StrEnum):
    """The named waits of a call. Each has one length, from the settings."""

    NOTICE = "notice"
    """The playback must be over."""
    GROWTH = "growth"
    """The recording must have bytes on disk."""
    GRACE = "grace"
    """A digit still counts."""
    TELL = "tell"
    """The announcement must be over."""
    STOP = "stop"
    """The service is stopping and does not wait longer for this notice."""
    WHISPER = "whisper"
    """What is said to one party of a running call must be over."""
    SEGMENT = "segment"
    """The recording must have begun anew."""
    PAUSE = "pause"
    """Nobody pauses for longer."""


class CommandStep(StrEnum):
    """A command that can fail, as a name."""

    ANSWER = "answer"
    PLAY = "play"
    HAND_OVER = "hand_over"
    CONTINUE = "continue"
    WHISPER = "whisper"
