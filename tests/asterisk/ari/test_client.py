"""The ARI client against a server that answers with recorded bytes, and misbehaves on demand."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
import structlog

from asterisk_compliance.asterisk.ari import requests as ari_requests
from asterisk_compliance.asterisk.ari.address import AriAddress, AriLimits
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.ari.events import EVENT_TYPES, StasisEnd, StasisStart
from asterisk_compliance.asterisk.ari.transport import WebSocketTransport
from asterisk_compliance.asterisk.backoff import Backoff
from asterisk_compliance.errors import ApplicationReplaced, AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId, PlaybackId

CHANNEL, PLAYBACK = ChannelId("1795509944.2"), PlaybackId("p-1")
QUICK = AriLimits(
    connect_s=2, request_s=2, probe_s=0.3, heartbeat_s=5, backoff=Backoff(0.001, 0.01)
)
SECRET = "correct horse battery staple"

Start = Callable[..., Any]


def client(url: str, ear: Any, limits: AriLimits = QUICK, password: str = "right") -> AriClient:
    return AriClient(AriAddress(url, "compliance", "user", password), ear, limits)


@pytest.mark.parametrize(("over_websocket", "transport"), [(True, "websocket"), (False, "http")])
async def test_the_transport_is_chosen_at_connect(
    scripted_ari: Start, ear: Any, running: Any, over_websocket: bool, transport: str
) -> None:
    server = await scripted_ari(over_websocket=over_websocket)
    ari = client(server.url, ear)
    assert ari.transport is None
    async with running(ari):
        _, name, version = await ear.next("connected")
        assert (name, ari.transport) == (transport, transport)
        assert version.startswith("22.10.1")
        await ari.answer(CHANNEL)
        assert server.requests[-1] == f"POST channels/{CHANNEL}/answer"
    with pytest.raises(AsteriskUnavailable, match="not connected"):
        await ari.answer(CHANNEL)


async def test_the_filter_lets_answers_through_and_is_set_at_each_connect(
    scripted_ari: Start, ear: Any, running: Any
) -> None:
    server = await scripted_ari()
    ari = client(server.url, ear)
    async with running(ari):
        for _ in range(2):
            await ear.next("connected")
            assert server.allowed == list(EVENT_TYPES)
            assert server.bodies["applications/compliance/eventFilter"]["disallowed"] == []
            await ari.answer(CHANNEL)  # swallowed, if RESTResponse were not in the filter
            await server.drop()
            await ear.next("disconnected")


async def test_an_asterisk_without_event_filter_is_used_unfiltered(
    scripted_ari: Start, ear: Any, running: Any
) -> None:
    server = await scripted_ari()
    server.answer_404_on = "/eventFilter"
    async with running(client(server.url, ear)):
        await ear.next("connected")


async def test_events_before_connected_are_held_and_delivered_after_it_in_order(
    scripted_ari: Start, ear: Any, running: Any, fixture: Any
) -> None:
    server = await scripted_ari()
    server.before_first_answer = [fixture("stasis_start.json"), fixture("stasis_end.json")]
    async with running(client(server.url, ear)):
        await ear.next(StasisEnd)
    kinds = [what[0] if isinstance(what, tuple) else type(what) for what in ear.heard]
    assert kinds[:3] == ["connected", StasisStart, StasisEnd]


async def test_malformed_messages_are_told_and_end_nothing(
    scripted_ari: Start, ear: Any, running: Any, fixture: Any
) -> None:
    server = await scripted_ari()
    ari = client(server.url, ear)
    async with running(ari):
        await ear.next("connected")
        for message in (b"{", b"\xff\xfe\xfd", b'{"type":"StasisStart"}'):
            await server.send(message)
            await ear.next("malformed")
        await server.send(fixture("channel_varset.json"))
        await server.send(fixture("stasis_start.json"))
        await ear.next(StasisStart)
        assert ari.ignored == {"ChannelVarset": 1}
        assert server.connections == 1


async def test_a_listener_that_fails_ends_nothing_and_its_words_are_not_logged(
    scripted_ari: Start, ear: Any, running: Any, fixture: Any
) -> None:
    server = await scripted_ari()
    hear = ear.on_event

    def fails_once(event: Any, received_monotonic: float) -> None:
        ear.on_event = hear
        raise RuntimeError(event.channel.caller.name)

    ear.on_event = fails_once
    with structlog.testing.capture_logs() as logs:
        async with running(client(server.url, ear)):
            await ear.next("connected")
            await server.send(fixture("stasis_start.json"))
            await server.send(fixture("stasis_end.json"))
            await ear.next(StasisEnd)
    failed = [entry for entry in logs if entry["event"] == "listener_failed"]
    assert len(failed) == 1
    assert failed[0]["where"].startswith("test_client.py:")
    assert "Müller" not in str(logs)


async def test_pending_requests_fail_at_once_when_the_connection_drops(
    scripted_ari: Start, ear: Any, running: Any
) -> None:
    server = await scripted_ari()
    server.silent_on, server.drop_on = "/answer", "/continue"
    ari = client(server.url, ear, AriLimits(request_s=30, backoff=QUICK.backoff))
    async with running(ari):
        await ear.next("connected")
        began = time.monotonic()
        answered, continued = ari.answer(CHANNEL), ari.continue_in_dialplan(CHANNEL)
        for future in (answered, continued):
            with pytest.raises(AsteriskUnavailable, match="was closed"):
                await future
        assert time.monotonic() - began < 5
        await ear.next("connected")
    assert sum("/answer" in request for request in server.requests) == 1  # never sent again


async def test_a_late_answer_is_not_taken_for_the_next_one(
    scripted_ari: Start, ear: Any, running: Any, fixture: Any
) -> None:
    server = await scripted_ari()
    server.silent_on = "/answer"
    ari = client(server.url, ear, AriLimits(request_s=0.1, backoff=QUICK.backoff))
    async with running(ari):
        await ear.next("connected")
        with pytest.raises(AsteriskUnavailable, match="no answer to ARI answer in time"):
            await ari.answer(CHANNEL)
        refusal = fixture("rest_no_channel.json")
        await server.send(refusal.replace(b'"request_id":"1"', b'"request_id":"3"'))
        await ari.play(CHANNEL, "sound:tone", PLAYBACK)


@pytest.mark.parametrize("over_websocket", [True, False])
async def test_refusals_carry_the_request_and_the_status(
    scripted_ari: Start, ear: Any, running: Any, over_websocket: bool
) -> None:
    server = await scripted_ari(over_websocket=over_websocket)
    server.answer_404_on = CHANNEL + "/answer"
    ari = client(server.url, ear)
    async with running(ari):
        await ear.next("connected")
        with pytest.raises(RequestRefused, match="404 Channel not found") as caught:
            await ari.answer(CHANNEL)
        assert (caught.value.request, caught.value.status) == ("answer", 404)
        server.answer_404_on = CHANNEL
        assert await ari.channel(CHANNEL) is None
        with pytest.raises(AsteriskUnavailable, match="not its answer"):
            await ari.channel(ChannelId("other"))  # 204 without a body


async def test_over_http_one_channel_keeps_its_order_and_others_do_not_wait(
    scripted_ari: Start, ear: Any, running: Any
) -> None:
    server = await scripted_ari(over_websocket=False)
    ari = client(server.url, ear)
    async with running(ari):
        await ear.next("connected")
        server.requests.clear()
        server.held_uri = f"channels/{CHANNEL}/answer"
        server.hold.clear()
        mine = [ari.answer(CHANNEL), ari.play(CHANNEL, "sound:tone", PLAYBACK)]
        mine.append(ari.set_variable(CHANNEL, "A", "b"))
        await ari.answer(ChannelId("other"))
        assert server.requests == ["POST channels/other/answer"]
        server.hold.set()
        await asyncio.gather(*mine)
    order = [request.rpartition("/")[2] for request in server.requests[1:]]
    assert order == ["answer", "p-1", "variable"]


@pytest.mark.parametrize("over_websocket", [True, False])
async def test_hostile_values_and_ids_stay_what_they_are(
    scripted_ari: Start, ear: Any, running: Any, over_websocket: bool
) -> None:
    server = await scripted_ari(over_websocket=over_websocket)
    ari = client(server.url, ear)
    value = 'a,b&c=d?%20+"\\\r\n${X}\x00あ'
    async with running(ari):
        await ear.next("connected")
        await ari.set_variable(CHANNEL, "NAME", value)
        await ari.answer(ChannelId("../asterisk?x=/1"))
    assert server.bodies[f"channels/{CHANNEL}/variable"] == {"variable": "NAME", "value": value}
    encoded = "..%2Fasterisk%3Fx%3D%2F1"
    assert server.requests[-1] in {
        f"POST channels/{encoded}/answer",
        "POST channels/../asterisk?x=/1/answer",  # aiohttp's server decodes the path
    }
    for empty in ("", ".", ".."):
        with pytest.raises(ValueError, match="not an id"):
            ari.answer(ChannelId(empty))


async def test_another_client_takes_the_application(
    scripted_ari: Start, ear: Any, running: Any, fixture: Any
) -> None:
    server = await scripted_ari()
    async with running(client(server.url, ear)) as task:
        await ear.next("connected")
        await server.send(fixture("application_replaced.json"))
        with pytest.raises(ApplicationReplaced) as caught:
            await asyncio.wait_for(asyncio.shield(task), 5)
        assert caught.value.hint
    assert server.connections == 1


async def test_a_wrong_password_is_told_once_with_a_hint_and_never_shown(
    scripted_ari: Start, ear: Any, running: Any
) -> None:
    server = await scripted_ari()
    ari = client(server.url, ear, password=SECRET)
    token = aiohttp.encode_basic_auth("user", SECRET).split()[1]
    with structlog.testing.capture_logs() as logs:
        async with running(ari):
            _, why = await ear.next("disconnected")
            await asyncio.sleep(0.1)  # several attempts more
    assert "user name or the password" in str(why)
    assert "ari.conf" in why.hint
    assert len(ear.told("disconnected")) == 1
    seen = "".join(
        (str(logs), repr(ari.__dict__), repr(why), repr(why.__context__), str(ear.heard))
    )
    assert SECRET not in seen
    assert token not in seen
    with pytest.raises(ValueError, match="credentials"):
        AriAddress("http://user:word@127.0.0.1/ari", "compliance", "", "")


async def test_ari_disabled_and_nobody_listening_have_hints(
    scripted_ari: Start, ear: Any, running: Any, unused_tcp_port: int
) -> None:
    server = await scripted_ari()
    async with running(client(server.url.removesuffix("/ari"), ear)):
        _, why = await ear.next("disconnected")
        assert "not enabled" in str(why)
        assert "ari.conf" in why.hint
    async with running(client(f"http://127.0.0.1:{unused_tcp_port}/ari", ear)):
        _, why = await ear.next("disconnected")
        assert "nothing answers" in str(why)
        assert "http.conf" in why.hint


class Stuck:
    """A WebSocket that Asterisk does not read: the first frame never leaves."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.readable = asyncio.Event()
        self.wrote_again = asyncio.Event()

    async def send_frame(self, message: bytes, opcode: aiohttp.WSMsgType) -> None:
        if self.written:
            self.wrote_again.set()
        self.written.append(message)
        await self.readable.wait()


async def test_a_request_whose_time_is_over_is_never_written() -> None:
    socket = Stuck()
    transport = WebSocketTransport(socket, limit_s=0.05)  # type: ignore[arg-type]
    writer = asyncio.create_task(transport.write_requests())
    first = transport.send(ari_requests.answer(CHANNEL))
    await asyncio.sleep(0)
    late = transport.send(ari_requests.continue_in_dialplan(CHANNEL))
    given_up = transport.send(ari_requests.answer(ChannelId("gone")), 5)
    given_up.cancel()
    for future in (first, late):
        with pytest.raises(AsteriskUnavailable):
            await future
    alive = transport.send(ari_requests.answer(ChannelId("new")), 5)
    socket.readable.set()
    await asyncio.wait_for(socket.wrote_again.wait(), 5)
    assert [b"channels/new/answer" in message for message in socket.written] == [False, True]
    assert b"continue" not in b"".join(socket.written)
    writer.cancel()
    transport.fail_all(AsteriskUnavailable("over"))
    with pytest.raises(AsteriskUnavailable, match="over"):
        await alive
    with pytest.raises(AsteriskUnavailable, match="over"):
        await transport.send(ari_requests.answer(CHANNEL))


async def test_after_a_stop_of_the_process_what_is_too_late_is_not_written() -> None:
    socket = Stuck()
    transport = WebSocketTransport(socket, limit_s=0.02)  # type: ignore[arg-type]
    writer = asyncio.create_task(transport.write_requests())
    await asyncio.sleep(0)
    late = transport.send(ari_requests.continue_in_dialplan(CHANNEL))
    time.sleep(0.05)  # noqa: ASYNC251  # as SIGSTOP does: the writer runs before the timer
    with pytest.raises(AsteriskUnavailable, match="in time"):
        await late
    assert not socket.written
    writer.cancel()


async def test_an_outbox_that_nobody_empties_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr("asterisk_compliance.asterisk.ari.transport.LONGEST_OUTBOX", 2)
    transport = WebSocketTransport(Stuck(), limit_s=5)  # type: ignore[arg-type]
    futures = [transport.send(ari_requests.answer(CHANNEL)) for _ in range(3)]
    with pytest.raises(AsteriskUnavailable, match="does not read"):
        await futures[2]
    transport.fail_all(AsteriskUnavailable("over"))


@pytest.mark.parametrize("attempt", [0, 1, 5, 1000])
def test_backoff_is_bounded_and_jittered(attempt: int) -> None:
    backoff = Backoff(0.5, 8.0)
    waits = {backoff.delay_s(attempt) for _ in range(100)}
    assert all(0 <= wait <= min(8.0, 0.5 * 2 ** min(attempt, 10)) for wait in waits)
    assert len(waits) > 50


async def test_over_http_requests_fail_with_the_connection_and_within_their_time(
    scripted_ari: Start, ear: Any, running: Any
) -> None:
    server = await scripted_ari(over_websocket=False)
    server.held_uri = f"channels/{CHANNEL}/answer"
    server.hold.clear()
    ari = client(server.url, ear, AriLimits(request_s=0.3, probe_s=0.1, backoff=QUICK.backoff))
    async with running(ari):
        await ear.next("connected")
        with pytest.raises(AsteriskUnavailable, match="no answer to ARI answer in time"):
            await ari.answer(CHANNEL)
        pending = ari.answer(CHANNEL), ari.play(CHANNEL, "sound:tone", PLAYBACK)
        await server.drop()
        for future in pending:
            with pytest.raises(AsteriskUnavailable, match="was closed"):
                await future
        await ear.next("disconnected")
        await ear.next("connected")
    assert not any(request.endswith("p-1") for request in server.requests)


async def test_a_connection_that_drops_while_it_is_set_up_is_tried_again(
    scripted_ari: Start, ear: Any, running: Any
) -> None:
    server = await scripted_ari()
    server.drop_on = "/eventFilter"
    async with running(client(server.url, ear)):
        _, why = await ear.next("disconnected")
        assert "was closed" in str(why)
        assert not ear.told("connected")
        server.drop_on = "nothing"
        await ear.next("connected")


async def test_what_does_not_speak_http_is_not_ari(ear: Any, running: Any) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n\r\n")
        writer.close()

    other = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with (
        other,
        running(client(f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}/ari", ear)),
    ):
        _, why = await ear.next("disconnected")
    assert "not ARI" in str(why)
