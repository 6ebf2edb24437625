"""Codes for what can be wrong with a running service."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """Why calls are not dealt with as they should be; ``docs/operating.md`` explains each."""

    ARI_DOWN = "ARI_DOWN"
    AMI_DOWN = "AMI_DOWN"
    CANARY_FAILED = "CANARY_FAILED"
    STORE_HANGS = "STORE_HANGS"
    STORE_REFUSES = "STORE_REFUSES"
    DISK_LOW = "DISK_LOW"
    STORAGE_NOT_WRITABLE = "STORAGE_NOT_WRITABLE"
    WATCHDOG_DOWN = "WATCHDOG_DOWN"
    WEBHOOK_BEHIND = "WEBHOOK_BEHIND"
    STOPPING = "STOPPING"


@dataclass(frozen=True, slots=True)
class HealthTrouble:
    """One trouble.

    Attributes:
        node: Which Asterisk; empty where it is the service's own.
        place: Which directory, or which webhook.
    """

    trouble: Trouble
    node: str = ""
    place: str = ""

    def __str__(self) -> str:
        return " ".join(word for word in (self.trouble, self.place, self.node) if word)
