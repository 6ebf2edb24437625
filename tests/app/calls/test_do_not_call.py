"""Whether a number may be called, asked by the dialplan; and the list that the staff keep."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from asterisk_compliance.app.calls.do_not_call import (
    NoNumber,
    answer_may_call,
    change_list,
    list_draft,
)
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.policy.policies import Policies
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import RequestRefused
from asterisk_compliance.ids import ChannelId
from asterisk_compliance.storage.log.writer import StoreWriter

CHANNEL = ChannelId("1732.1")


class Ari:
    """Notes what is asked of it, and may refuse."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.gone = False

    def _answer(self, *what: str) -> asyncio.Future[None]:
        self.asked.append(what)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.gone:
            answer.set_exception(RequestRefused(what[0], 404))
        else:
            answer.set_result(None)
        return answer

    def set_variable(self, channel: ChannelId, name: str, value: str) -> asyncio.Future[None]:
        return self._answer("set", channel, name, value)

    def continue_in_dialplan(self, channel: ChannelId) -> asyncio.Future[None]:
        return self._answer("continue", channel)


async def answered(store: Path, argument: str, *, gone: bool = False) -> tuple[str, list[Any]]:
    ari, rows = Ari(), []
    ari.gone = gone
    node = SimpleNamespace(
        policies=Policies({}, (), home="JP"),
        store=store,
        row=lambda kind, **detail: rows.append((kind, detail)),
    )
    await answer_may_call(cast("Node", node), cast("AriClient", ari), CHANNEL, argument)
    assert ari.asked[1] == ("continue", CHANNEL)
    assert ari.asked[0][:3] == ("set", CHANNEL, "COMPLIANCE_MAY_CALL")
    return ari.asked[0][3], rows


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([list_draft("add", "03-1234-5678", "JP", "clerk")])
    return tmp_path


async def test_who_is_not_listed_may_be_called(store: Path) -> None:
    assert await answered(store, "may-call=0398765432") == ("yes", [])


@pytest.mark.parametrize("number", ["0312345678", "+81312345678"])
async def test_who_is_listed_may_not_and_a_row_says_so(store: Path, number: str) -> None:
    row = (Kind.CALL_BLOCKED, {"channel": CHANNEL})
    assert await answered(store, f"may-call={number}") == ("no", [row])


@pytest.mark.parametrize("number", ["", "*", "+"])
async def test_what_is_no_number_is_unknown(store: Path, number: str) -> None:
    assert await answered(store, f"may-call={number}") == ("unknown", [])


async def test_without_a_list_it_is_unknown(tmp_path: Path) -> None:
    assert await answered(tmp_path / "none", "may-call=0398765432") == ("unknown", [])


async def test_a_channel_that_is_gone_needs_no_answer(store: Path) -> None:
    assert await answered(store, "may-call=0312345678", gone=True) == (
        "no",
        [(Kind.CALL_BLOCKED, {"channel": CHANNEL})],
    )


class Log:
    """Rows as they are appended to the store."""

    def __init__(self, writer: StoreWriter) -> None:
        self._writer = writer

    async def append(self, *drafts: Draft) -> int:
        return self._writer.commit(drafts)[-1].seq


async def test_the_list_changes_once(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:

        async def change(what: str, number: str) -> object:
            arguments = {"what": what, "number": number}
            return (await change_list(Log(writer), tmp_path, "JP", "clerk", arguments))["seq"]

        assert await change("remove", "0312345678") is None
        assert await change("add", "0312345678") == 0
        assert await change("add", "+81312345678") is None
        assert await change("remove", "+81 3 1234 5678") == 1
        for what, number in (("add", "nobody"), ("forget", "0312345678")):
            with pytest.raises(NoNumber):
                await change(what, number)


def test_a_row_of_the_list_names_nobody() -> None:
    draft = list_draft("add", "0312345678", None, "clerk")
    assert draft.detail == {"by": "staff"}
    assert draft.actor == draft.party
    assert draft.listed == "0312345678"
    assert [fact.value for fact in draft.facts] == ["clerk"]
