"""Which promise a file's name means, and which call it becomes, as the log has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.dialplan_fallback import Promise
from asterisk_compliance.domain.policy.notice import CaptureFrom
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.ids import (
    CallId,
    ChannelId,
    NodeName,
    call_id,
    fallback_call_id,
    fallback_code,
    recording_id,
)
from asterisk_compliance.storage.content_store import ContentStore
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.queries.fallback_promises import adopted_as, remembered
from fallback_files import fallback_name

NODE, SERVICE = NodeName("pbx1"), NodeName("service")
AT_S = 1_795_507_200
CHANNEL = ChannelId(f"{AT_S}.7")
OWN = fallback_call_id(NODE, CHANNEL)
EARLIER = call_id(AT_S * 1_000, b"8 bytes!")


def promise(language: str = "ja", node: NodeName = NODE) -> Promise:
    return Promise(
        node=node,
        policy="inbound",
        policy_digest="p" * 64,
        language=language,
        notice=f"standard/1/{language}",
        purposes=(PurposeCode("SERVICE"),),
        text_digest="t" * 64,
        audio_digest="a" * 64,
        length_ms=1_000,
        capture=CaptureFrom.BRIDGED,
    )


JA, EN = promise("ja"), promise("en")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def writer(store: Path) -> Iterator[StoreWriter]:
    with StoreWriter.open(store) as opened:
        content = ContentStore(store)
        for one in (JA, EN):
            content.put(one.encode())
        yield opened


def loaded(writer: StoreWriter, at_s: int, *promises: Promise) -> None:
    detail = {"promises": tuple(one.digest for one in promises)}
    writer.commit([Draft(Kind.CONFIG_LOADED, at_s * 1_000, SERVICE, detail=detail)])


def arrived(writer: StoreWriter, call: CallId, *more: Draft) -> None:
    detail = {"channel": CHANNEL, "entry": "ari", "leg": "caller", "linkedid": CHANNEL}
    writer.commit([Draft(Kind.CALL_ARRIVED, AT_S * 1_000, NODE, call, detail=detail), *more])


def decided(call: CallId, status: str, reason: str) -> Draft:
    detail = {"status": status, "reason": reason, "purposes": (), "notice": ""}
    return Draft(Kind.DECISION, AT_S * 1_000, NODE, call, detail=detail)


def found(store: Path, one: Promise = JA, node: NodeName = NODE):
    code = fallback_code(one.digest)
    return adopted_as(store, node, code, CHANNEL, fallback_name(code, CHANNEL))


def test_what_the_configuration_promises_is_adopted(store: Path, writer: StoreWriter) -> None:
    loaded(writer, AT_S + 60, JA, EN)
    adopted = found(store)
    assert (adopted.call, adopted.recording) == (OWN, recording_id(OWN, 1))
    assert [row.kind for row in adopted.rows] == ["call_arrived", "decision", "recording_adopted"]
    assert remembered(store, OWN) is None


def test_what_was_promised_when_the_call_came_is_adopted(store: Path, writer: StoreWriter) -> None:
    loaded(writer, AT_S - 7_200, EN)
    loaded(writer, AT_S, JA)
    loaded(writer, AT_S + 60)
    assert found(store, JA) is not None
    assert found(store, EN) is None, "given up before the call came"


def test_what_nobody_promised_is_nobody_s(store: Path, writer: StoreWriter) -> None:
    assert found(store) is None
    loaded(writer, AT_S, EN)
    assert found(store, JA) is None


def test_the_promise_of_another_asterisk_is_none_of_this_one(
    store: Path, writer: StoreWriter
) -> None:
    theirs = promise(node=NodeName("pbx2"))
    ContentStore(store).put(theirs.encode())
    loaded(writer, AT_S, theirs)
    assert found(store, theirs) is None
    assert found(store, theirs, NodeName("pbx2")) is not None


@pytest.mark.parametrize("content", [b"{}", b"[]", b"no JSON"])
def test_a_promise_that_cannot_be_read_is_none(
    store: Path, writer: StoreWriter, content: bytes
) -> None:
    digest = ContentStore(store).put(content)
    writer.commit(
        [Draft(Kind.CONFIG_LOADED, AT_S * 1_000, SERVICE, detail={"promises": (digest,)})]
    )
    code = fallback_code(digest)
    assert adopted_as(store, NODE, code, CHANNEL, fallback_name(code, CHANNEL)) is None


def test_an_older_configuration_did_not_say_what_it_promises(
    store: Path, writer: StoreWriter
) -> None:
    writer.commit([Draft(Kind.CONFIG_LOADED, AT_S * 1_000, SERVICE, detail={"digest": "d"})])
    assert found(store) is None


def test_the_log_says_it_once(store: Path, writer: StoreWriter) -> None:
    loaded(writer, AT_S, JA, EN)
    adopted = found(store)
    drafts = [
        Draft(row.kind, AT_S * 1_000, NODE, adopted.call, row.actor, row.detail)
        for row in adopted.rows
    ]
    writer.commit(drafts)
    again = found(store)
    assert (again.call, again.recording, again.rows) == (adopted.call, adopted.recording, ())
    assert remembered(store, OWN).decision.reason == "FALLBACK_NOTICE"
    assert found(store, EN) is None, "a channel has one such recording"


def test_a_call_that_was_not_told_gets_it(store: Path, writer: StoreWriter) -> None:
    loaded(writer, AT_S, JA)
    arrived(writer, EARLIER, decided(EARLIER, "NOT_RECORDED", "TAKEN_BACK"))
    assert found(store).call == EARLIER


def test_a_call_that_was_allowed_keeps_to_itself(store: Path, writer: StoreWriter) -> None:
    loaded(writer, AT_S, JA)
    arrived(writer, EARLIER, decided(EARLIER, "ALLOWED", "NOTICE_COMPLETED"))
    assert found(store).call == OWN
