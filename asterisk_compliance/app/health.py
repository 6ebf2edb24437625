"""Is the service doing its work? What is wrong, as codes, for a command and for a monitor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from asterisk_compliance.app.counted_rows import CountedRows
from asterisk_compliance.app.storage_watch import Place
from asterisk_compliance.config_checks import SERVICE_NODE

if TYPE_CHECKING:
    from asterisk_compliance.app.node import Node


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
class Found:
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


def troubles(
    nodes: Iterable[Node], rows: CountedRows, store_s: float, places: Iterable[Place] = ()
) -> list[Found]:
    """Everything that is wrong now; ``store_s``: a store that moves nothing for so long hangs."""
    found = [found for node in nodes for found in _of_node(node)]
    found += [one for place in places for one in _of_place(place)]
    if rows.stuck_s > store_s:
        found.append(Found(Trouble.STORE_HANGS))
    if rows.refuses:
        found.append(Found(Trouble.STORE_REFUSES))
    return found


def _of_node(node: Node) -> Iterator[Found]:
    if node.ari is not None and node.ari.transport is None:
        yield Found(Trouble.ARI_DOWN, node.node)
    if node.ami is not None and not node.ami.connected:
        yield Found(Trouble.AMI_DOWN, node.node)
    if node.stopping:
        yield Found(Trouble.STOPPING, node.node)


def _of_place(place: Place) -> Iterator[Found]:
    if place.reason is not None:
        node = "" if place.node == SERVICE_NODE else place.node
        yield Found(Trouble(place.reason), node, place.name)


def status_of(node: Node) -> Mapping[str, Any]:
    """One Asterisk, as ``/health`` and ``status`` show it."""
    phases: dict[str, int] = {}
    for task in node.calls.values():
        phases[task.call.phase] = phases.get(task.call.phase, 0) + 1
    return {
        "node": node.node,
        "ari": node.ari.transport if node.ari else None,
        "ami": node.ami.connected if node.ami else None,
        "calls": phases,
        "stopping": node.stopping,
    }


def health(
    found: Sequence[Found], nodes: Sequence[Mapping[str, Any]], rows: CountedRows
) -> Mapping[str, Any]:
    """What ``/health`` answers, beside the configuration; ``nodes`` as ``status`` shows them."""
    return {
        "ok": not found,
        "reasons": [str(one) for one in found],
        "nodes": nodes,
        "store": {
            "rows": rows.size,
            "waiting": rows.waiting,
            "last_durable_s": round(rows.age_s, 3),
        },
    }
