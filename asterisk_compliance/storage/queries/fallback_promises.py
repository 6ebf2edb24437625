"""Finds the promise and the call of a file that the dialplan recorded alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from asterisk_compliance.domain.audit.encoding import decode, milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.dialplan_fallback import (
    Adopted,
    Promise,
    adopt,
    attaches_to,
    named_by,
    read_promise,
)
from asterisk_compliance.domain.call.replay import ReplayedCall, replay_call
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.ids import (
    CallId,
    ChannelId,
    NodeName,
    RecordingId,
    created_s,
    fallback_call_id,
)
from asterisk_compliance.storage.content_store import ContentStore
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader

_ADOPTED = (
    "SELECT call, row ->> '$.detail.recording' FROM rows"
    " WHERE seldom = 'recording_adopted' AND row ->> '$.detail.file' = ?"
)
_CALLS = "SELECT call FROM calls WHERE channel = ? AND node = ? ORDER BY call DESC"


def adopted_as(
    store: Path, node: NodeName, code: str, channel: ChannelId, file: str
) -> Adopted | None:
    """Which recording of which call a file is, or is to be.

    Returns:
        Without rows if the log says it already; ``None`` if nobody promised such a recording, or
        the channel has one.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    with StoreReader(store) as reader:
        said = reader.connection.execute(_ADOPTED, [file]).fetchone()
        if said is not None:
            return Adopted(CallId(said[0]), RecordingId(said[1]), ())
        promise = _promise(reader, node, code, created_s(channel))
        calls = [CallId(one) for (one,) in reader.connection.execute(_CALLS, [channel, node])]
        if promise is None or fallback_call_id(node, channel) in calls:
            return None
        newest = _remembered(reader, calls[0]) if calls else None
        known = newest if newest is not None and attaches_to(newest) else None
        return adopt(promise, file, channel, known)


def remembered(store: Path, call: CallId) -> ReplayedCall | None:
    """A call, from its rows."""
    with StoreReader(store) as reader:
        return _remembered(reader, call)


def _remembered(reader: StoreReader, call: CallId) -> ReplayedCall | None:
    return replay_call(decode(stored.data) for stored in reader.rows(RowQuery(call=call)))


def _promise(reader: StoreReader, node: NodeName, code: str, at_s: int) -> Promise | None:
    digest = named_by(code, _held(reader, at_s))
    if digest is None:
        return None
    try:
        promise = read_promise(ContentStore(reader.directory).get(digest))
    except (StoreUnavailable, LogBroken, msgspec.MsgspecError):
        return None
    return promise if promise.node == node else None


def _held(reader: StoreReader, at_s: int) -> Iterator[str]:
    """Digests of what was promised by the configuration of that second, and by the newest."""
    loaded = [decode(stored.data) for stored in reader.rows(RowQuery(kind=Kind.CONFIG_LOADED))]
    then = [row for row in loaded if milliseconds(row.at) < (at_s + 1) * 1_000]
    for row in (*loaded[-1:], *then[-1:]):
        digests = row.detail.get("promises", ())
        assert isinstance(digests, tuple)
        yield from map(str, digests)
