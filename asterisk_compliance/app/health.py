"""Is the service doing its work? What is wrong, as codes, for a command and for a monitor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from asterisk_compliance.app.counted_rows import CountedRows

if TYPE_CHECKING:
    from asterisk_compliance.app.node import Node


class Trouble(StrEnum):
    """Why calls are not dealt with as they should be; ``docs/operating.md`` explains each."""

    ARI_DOWN = "ARI_DOWN"
    AMI_DOWN = "AMI_DOWN"
    STORE_HANGS = "STORE_HANGS"
    STORE_REFUSES = "STORE_REFUSES"
    STOPPING = "STOPPING"


@dataclass(frozen=True, slots=True)
class Found:
    """One trouble.

    Attributes:
        node: Which Asterisk; empty where it is the service's own.
    """

    trouble: Trouble
    node: str = ""

    def __str__(self) -> str:
        return f"{self.trouble} {self.node}".strip()


def troubles(nodes: Iterable[Node], rows: CountedRows, store_s: float) -> list[Found]:
    """Everything that is wrong now; ``store_s``: a store that moves nothing for so long hangs."""
    found = [found for node in nodes for found in _of_node(node)]
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
