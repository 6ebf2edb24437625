"""What a dialplan is compared with: the configuration, and Asterisk's other files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from asterisk_compliance.domain.dialplan.model import Dialplan

NOTICES: Final = frozenset({"compliance-notice", "compliance-notice-agi"})
CALLEE: Final = "compliance-callee"


class Routine(NamedTuple):
    """How one of our routines is called: how many arguments, in which extensions."""

    least: int
    most: int
    extens: frozenset[str] = frozenset({"s"})


ROUTINES: Final[Mapping[str, Routine]] = {
    "compliance-notice": Routine(1, 3),
    "compliance-notice-agi": Routine(1, 3),
    CALLEE: Routine(1, 3),
    "compliance-may-call": Routine(1, 1),
    "compliance-hearing": Routine(0, 0),
    "compliance-agent": Routine(0, 0, frozenset({"s", "caller"})),
    "compliance-pause": Routine(0, 1),
    "compliance-resume": Routine(0, 1),
    "compliance-start": Routine(0, 1),
    "compliance-stop": Routine(0, 1),
    "compliance-withdraw": Routine(0, 1),
    "compliance-donotcall": Routine(0, 1),
}
"""The routines that a site calls (docs/dialplan.md)."""

OURS_ALONE: Final = frozenset(
    f"compliance-{name}" for name in ("segment", "fallback", "back", "canary", "check")
)
OURS: Final = frozenset({*ROUTINES, *OURS_ALONE})

_TRUNKS: Final = frozenset({"dahdi", "iax2", "misdn", "khomp", "motif"})


@dataclass(frozen=True, slots=True)
class DialplanExpectations:
    """Attributes:
    rendered: What ``dialplan render`` makes now.
    policies: Their names; ``None`` where no configuration is read.
    application: Name of the Stasis application.
    staff: Patterns of the endpoints of staff.
    emergency: Emergency numbers, with every prefix.
    limit_s: How long a caller waits for a service that hangs.
    segments: Whether ``features.conf`` is to be wired.
    features: ``[applicationmap]``, name and value; ``None`` where it was not read.
    recording_queues: Queues that record by themselves (``queues.conf``, ``monitor-format``).
    queue_members: Of each queue.
    recording_bridges: Profiles with ``record_conference`` (``confbridge.conf``).
    entries: Contexts that channels enter (``pjsip.conf`` and its like).
    """

    rendered: Dialplan
    policies: frozenset[str] | None = None
    application: str = "compliance"
    staff: tuple[str, ...] = ()
    emergency: frozenset[str] = frozenset()
    limit_s: float = 30.0
    segments: bool = True
    features: Mapping[str, str] | None = None
    recording_queues: frozenset[str] = frozenset()
    queue_members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recording_bridges: frozenset[str] = frozenset()
    entries: frozenset[str] = frozenset()

    def is_outside(self, destination: str) -> bool:
        """Whether somebody outside is rung: over a trunk, or at an endpoint that is no staff's.

        An endpoint whose name is made of variables is taken for a telephone of the site's own, and
        one that is a variable as a whole for nobody: it has a finding of its own.
        """
        technology, _, rest = destination.partition("/")
        if technology.lower() in {"local", ""} or (not rest and "$" in technology):
            return False
        if technology.lower() in _TRUNKS or "@" in rest or "/" in rest or "$" in technology:
            return True
        if not self.staff or "$" in rest:
            return False
        return not any(fnmatchcase(destination, pattern) for pattern in self.staff)
