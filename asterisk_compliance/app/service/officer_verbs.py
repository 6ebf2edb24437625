"""What an officer can ask for, of the running service or alone with the store's lock.

Each verb is written once: :class:`~asterisk_compliance.app.service.runner.Service` answers them on
its socket, and a command performs the same verb itself while the service does not run
(``cli/officer_action.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from asterisk_compliance.app.access.past_calls import past_calls_verbs
from asterisk_compliance.app.access.release import release_verbs
from asterisk_compliance.app.calls.do_not_call import change_list
from asterisk_compliance.app.evidence.call_evidence import evidence_verbs
from asterisk_compliance.app.evidence.call_export import export_verbs
from asterisk_compliance.app.incidents.register import Incidents
from asterisk_compliance.app.retention.erasure import Erasing
from asterisk_compliance.app.retention.run import RetentionService
from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.marks import mark_draft
from asterisk_compliance.app.subject_requests.answer_rows import answering_verbs
from asterisk_compliance.app.subject_requests.erasure import ErasureExecution
from asterisk_compliance.app.subject_requests.steps import Requesting
from asterisk_compliance.app.third_parties.provisions import provision_verbs
from asterisk_compliance.app.third_parties.provisions_received import received_verbs
from asterisk_compliance.config.settings import Settings


def officer_verbs(
    rows: AuditAppender,
    settings: Callable[[], Settings],
    retaining: RetentionService,
    incidents: Incidents,
) -> dict[str, Verb]:
    """Every verb that changes the log and needs no live call.

    Args:
        rows: The log.
        settings: What holds at the moment of asking.
        retaining: Of the same log.
        incidents: Of the same log; its watch and whoever asks take turns.
    """

    async def mark(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        return {"seq": await rows.append(mark_draft(arguments.get("code", ""), peer.user))}

    async def do_not_call(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        now = settings()
        return await change_list(rows, now.audit.store, now.rules.home, peer.user, arguments)

    requesting = Requesting(rows, settings)
    carrying_out = ErasureExecution(rows, settings, retaining, requesting.one_at_a_time)
    return {
        "mark": mark,
        "do-not-call": do_not_call,
        "erase": Erasing(rows, settings, retaining.holds_stand).erase,
        **release_verbs(rows, settings),
        **answering_verbs(rows, settings),
        **evidence_verbs(rows, settings),
        **past_calls_verbs(rows, settings),
        **provision_verbs(rows, settings),
        **received_verbs(rows, settings),
        **export_verbs(rows, settings),
        **requesting.verbs(),
        **carrying_out.verbs(),
        **incidents.verbs(),
        **retaining.verbs(),
    }
