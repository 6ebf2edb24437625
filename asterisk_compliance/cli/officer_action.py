"""Having something done in this user's name: by the running service, else with the store's lock.

The verbs are the same ones (``app/service/officer_verbs.py``); who owns the log performs them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from asterisk_compliance.app.shared.control_socket import Handed, SocketPeer, ask, ask_for_file
from asterisk_compliance.config.settings import Settings, load
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log.writer import StoreWriter


def act(config: Path, verb: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Have a verb performed, and return its answer.

    Args:
        config: The configuration's file.
        verb: One of :func:`~asterisk_compliance.app.service.officer_verbs.officer_verbs`.
        arguments: The verb's own.

    Raises:
        ComplianceError: it was refused; message, hint and exit status are the verb's.
        StoreUnavailable, StoreLocked: nobody can write the row.
    """
    settings = load(config, secrets=False)
    return act_with(settings, verb, arguments)


def act_with(settings: Settings, verb: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    """As :func:`act`, with a configuration that was read already."""
    answer = ask(settings.service.socket, verb, arguments)
    if answer is None:
        answer = dict(_plain(_alone(settings, verb, arguments)))
    return answer


def act_for_file(
    settings: Settings, verb: str, arguments: Mapping[str, str]
) -> tuple[dict[str, Any], BinaryIO]:
    """As :func:`act_with`, where the answer comes with an open file."""
    answered = ask_for_file(settings.service.socket, verb, arguments)
    if answered is not None:
        return answered
    handed = _alone(settings, verb, arguments)
    assert isinstance(handed, Handed)
    return dict(handed.answer), handed.file


class _LockedRows:
    """The log in our own hands, while the service does not run."""

    def __init__(self, store: StoreWriter) -> None:
        self._store = store

    def append(self, *drafts: Draft) -> Awaitable[int]:
        seq = self._store.commit(drafts)[-1].seq
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done.set_result(seq)
        return done


def _alone(
    settings: Settings, verb: str, arguments: Mapping[str, str]
) -> Mapping[str, Any] | Handed:
    from asterisk_compliance.app.incidents.register import Incidents
    from asterisk_compliance.app.retention.run import RetentionService
    from asterisk_compliance.app.service.officer_verbs import officer_verbs
    from asterisk_compliance.app.shared.metrics import Metrics

    if not settings.audit.store.is_dir():
        raise StoreUnavailable(f"{settings.audit.store}: there is no store yet")
    peer = SocketPeer(uid=os.getuid(), pid=os.getpid())
    with StoreWriter.open(settings.audit.store) as store:
        rows = _LockedRows(store)
        retaining = RetentionService(rows, lambda: settings, Metrics())
        incidents = Incidents(rows, lambda: settings)
        verbs = officer_verbs(rows, lambda: settings, retaining, incidents)
        return asyncio.run(_perform(verbs[verb](peer, arguments)))


async def _perform(work: Awaitable[Mapping[str, Any] | Handed]) -> Mapping[str, Any] | Handed:
    return await work


def _plain(answer: Mapping[str, Any] | Handed) -> Mapping[str, Any]:
    assert not isinstance(answer, Handed)
    return answer
