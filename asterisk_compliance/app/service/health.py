"""Is the service doing its work? What is wrong, as codes, for a command and for a monitor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.recordings.storage_monitor import StoragePlace
from asterisk_compliance.app.shared.troubles import HealthTrouble, Trouble
from asterisk_compliance.config.consistency import SERVICE_NODE

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.node import Node


def troubles(
    nodes: Iterable[Node], rows: MeteredLog, store_s: float, places: Iterable[StoragePlace] = ()
) -> list[HealthTrouble]:
    """Everything that is wrong now; ``store_s``: a store that moves nothing for so long hangs."""
    found = [found for node in nodes for found in _of_node(node)]
    found += [one for place in places for one in _of_place(place)]
    if rows.stuck_s > store_s:
        found.append(HealthTrouble(Trouble.STORE_HANGS))
    if rows.refuses:
        found.append(HealthTrouble(Trouble.STORE_REFUSES))
    return found


def _of_node(node: Node) -> Iterator[HealthTrouble]:
    if node.ari is not None and node.ari.transport is None:
        yield HealthTrouble(Trouble.ARI_DOWN, node.node)
    if node.ami is not None and not node.ami.connected:
        yield HealthTrouble(Trouble.AMI_DOWN, node.node)
    if node.stopping:
        yield HealthTrouble(Trouble.STOPPING, node.node)


def _of_place(place: StoragePlace) -> Iterator[HealthTrouble]:
    if place.reason is not None:
        node = "" if place.node == SERVICE_NODE else place.node
        yield HealthTrouble(Trouble(place.reason), node, place.name)


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
    found: Sequence[HealthTrouble], nodes: Sequence[Mapping[str, Any]], rows: MeteredLog
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
