"""Two ways to send an ARI request: over the event WebSocket, or by HTTP with keep-alive.

Both promise the same. ``send`` hands the request over at once and returns a future, so a caller
can send several before it waits. Requests with the same ``lane`` (a channel) are executed in the
order in which they were sent. Every future is resolved within its time limit. A request whose
time ends before it was written is never written, because a late command could hit a call that
went on without us.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import aiohttp
import msgspec

from asterisk_compliance.asterisk.ari.address import AriAddress, AriLimits
from asterisk_compliance.asterisk.ari.events import RESTResponse
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused

T = TypeVar("T")

LONGEST_OUTBOX = 2000
"""Requests that wait for a WebSocket which Asterisk does not read; more fail at once."""


class AriAnswer(msgspec.Struct, frozen=True):
    status: int
    body: str


class AriRequest(msgspec.Struct, Generic[T], frozen=True):
    """One ARI operation.

    Attributes:
        name: What an error says, without any value a caller controls: ``answer``.
        path: Below ``/ari``, without a leading slash, every id in it percent-encoded.
        read: Turns a 2xx answer into the result; a ``ValueError`` means it is not what ARI says.
        query: Names and values, not encoded.
        content: The JSON body.
        lane: Requests of one lane keep their order; empty for those of no channel.
        missing: A function that gives the result when the status is 404, if that is no error.
    """

    name: str
    method: str
    path: str
    read: Callable[[AriAnswer], T]
    query: tuple[tuple[str, str], ...] = ()
    content: Mapping[str, object] | None = None
    lane: str = ""
    missing: Callable[[], T] | None = None


class _Parameter(msgspec.Struct, frozen=True):
    name: str
    value: str


class _RESTRequest(msgspec.Struct, tag_field="type", tag="RESTRequest"):
    """rest-api/api-docs/events.json; the uri has neither a leading slash nor ``ari``."""

    request_id: str
    method: str
    uri: str
    query_strings: list[_Parameter] | msgspec.UnsetType = msgspec.UNSET
    content_type: str | msgspec.UnsetType = msgspec.UNSET
    message_body: str | msgspec.UnsetType = msgspec.UNSET


_encoder = msgspec.json.Encoder()


class _Pending(msgspec.Struct, frozen=True):
    request: AriRequest[Any]
    future: asyncio.Future[Any]
    timer: asyncio.TimerHandle
    deadline: float


class WebSocketTransport:
    """REST over the event WebSocket (Asterisk 20.14, 21.9, 22.4 and later).

    :meth:`write_requests` is the one writer; the reader of the WebSocket hands every
    ``RESTResponse`` to :meth:`on_response`.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[Any], limit_s: float) -> None:
        self._socket = socket
        self._limit_s = limit_s
        self._loop = asyncio.get_running_loop()
        self._pending: dict[str, _Pending] = {}
        self._outbox: deque[tuple[str, bytes]] = deque()
        self._sleeps: asyncio.Future[None] | None = None
        self._last_id = 0
        self._failed: AsteriskUnavailable | None = None

    def send(self, request: AriRequest[T], limit_s: float | None = None) -> asyncio.Future[T]:
        future: asyncio.Future[T] = _future(self._loop)
        if self._failed is not None:
            future.set_exception(self._failed)
            return future
        if len(self._outbox) >= LONGEST_OUTBOX:
            future.set_exception(AsteriskUnavailable("Asterisk does not read our ARI requests"))
            return future
        self._last_id += 1
        request_id = str(self._last_id)
        self._outbox.append((request_id, _encode(request_id, request)))
        if self._sleeps is not None and not self._sleeps.done():
            self._sleeps.set_result(None)
        limit_s = self._limit_s if limit_s is None else limit_s
        timer = self._loop.call_later(limit_s, self._expire, request_id)
        self._pending[request_id] = _Pending(request, future, timer, self._loop.time() + limit_s)
        return future

    def on_response(self, response: RESTResponse) -> bool:
        """Resolve the request that this answers; ``False`` if nobody waits for it any more."""
        pending = self._pending.pop(response.request_id, None)
        if pending is None:
            return False
        pending.timer.cancel()
        answer = AriAnswer(response.status_code, response.message_body)
        _resolve(pending.request, pending.future, answer)
        return True

    async def write_requests(self) -> None:
        """Write what :meth:`send` queued, until cancelled or the WebSocket fails."""
        while True:
            while not self._outbox:
                self._sleeps = self._loop.create_future()
                await self._sleeps
            request_id, message = self._outbox.popleft()
            pending = self._pending.get(request_id)
            if pending is None or pending.future.done():
                continue
            if self._loop.time() < pending.deadline:  # after a SIGSTOP timers are late
                await self._socket.send_frame(message, aiohttp.WSMsgType.TEXT)

    def fail_all(self, why: AsteriskUnavailable) -> None:
        self._failed = why
        pending, self._pending = self._pending, {}
        for entry in pending.values():
            entry.timer.cancel()
            if not entry.future.done():
                entry.future.set_exception(why)

    def _expire(self, request_id: str) -> None:
        pending = self._pending.pop(request_id)
        if not pending.future.done():
            pending.future.set_exception(_no_answer(pending.request.name))


class HttpTransport:
    """HTTP with keep-alive, for an Asterisk that does not answer over the WebSocket.

    Order within a lane comes from a chain: each request waits until the one before it is over.
    """

    def __init__(self, session: aiohttp.ClientSession, base_url: str, limit_s: float) -> None:
        self._session = session
        self._base_url = base_url
        self._limit_s = limit_s
        self._loop = asyncio.get_running_loop()
        self._tails: dict[str, asyncio.Task[None]] = {}
        self._open: dict[asyncio.Task[None], asyncio.Future[Any]] = {}
        self._failed: AsteriskUnavailable | None = None

    def send(self, request: AriRequest[T], limit_s: float | None = None) -> asyncio.Future[T]:
        future: asyncio.Future[T] = _future(self._loop)
        if self._failed is not None:
            future.set_exception(self._failed)
            return future
        limit_s = self._limit_s if limit_s is None else limit_s
        before = self._tails.get(request.lane) if request.lane else None
        task = self._loop.create_task(self._perform(request, future, before, limit_s))
        self._open[task] = future
        if request.lane:
            self._tails[request.lane] = task
        task.add_done_callback(lambda done: self._forget(done, request.lane))
        return future

    def fail_all(self, why: AsteriskUnavailable) -> None:
        self._failed = why
        for task, future in list(self._open.items()):
            task.cancel()
            if not future.done():
                future.set_exception(why)

    async def close(self) -> None:
        """Wait until the requests that :meth:`fail_all` cancelled are gone."""
        if self._open:
            await asyncio.wait(set(self._open))

    def _forget(self, done: asyncio.Task[None], lane: str) -> None:
        self._open.pop(done, None)
        if self._tails.get(lane) is done:
            del self._tails[lane]

    async def _perform(
        self,
        request: AriRequest[T],
        future: asyncio.Future[T],
        before: asyncio.Task[None] | None,
        limit_s: float,
    ) -> None:
        failure: AsteriskUnavailable | None = None
        answer: AriAnswer | None = None
        try:
            async with asyncio.timeout(limit_s):
                if before is not None:
                    await asyncio.wait({before})
                if not future.done():
                    answer = await self._exchange(request)
        except TimeoutError:
            failure = _no_answer(request.name)
        except (aiohttp.ClientError, OSError, UnicodeDecodeError) as error:
            # The text of an aiohttp error can hold our credentials: only its type is told.
            failure = AsteriskUnavailable(f"ARI {request.name} failed: {type(error).__name__}")
        if answer is not None:
            _resolve(request, future, answer)
        elif failure is not None and not future.done():
            future.set_exception(failure)

    async def _exchange(self, request: AriRequest[Any]) -> AriAnswer:
        body = None if request.content is None else _encoder.encode(request.content)
        async with self._session.request(
            request.method,
            f"{self._base_url}/{request.path}",
            params=list(request.query),
            data=body,
            headers={} if body is None else {"Content-Type": "application/json"},
            allow_redirects=False,
        ) as response:
            return AriAnswer(response.status, await response.text("utf-8"))


def _future(loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = loop.create_future()
    future.add_done_callback(_looked_at)
    return future


def _looked_at(future: asyncio.Future[Any]) -> None:
    """A failure that nobody awaits, since an earlier one already ended the work, is no noise."""
    if not future.cancelled():
        future.exception()


def _encode(request_id: str, request: AriRequest[Any]) -> bytes:
    query = [_Parameter(name, value) for name, value in request.query]
    message = _RESTRequest(request_id, request.method, request.path, query or msgspec.UNSET)
    if request.content is not None:
        message.content_type = "application/json"
        message.message_body = _encoder.encode(request.content).decode()
    return _encoder.encode(message)


def _resolve(request: AriRequest[T], future: asyncio.Future[T], answer: AriAnswer) -> None:
    if future.done():
        return
    if answer.status == 404 and request.missing is not None:
        future.set_result(request.missing())
    elif not 200 <= answer.status < 300:
        future.set_exception(RequestRefused(request.name, answer.status, _reason(answer.body)))
    else:
        try:
            future.set_result(request.read(answer))
        except ValueError:
            why = f"ARI answered {request.name} with something that is not its answer"
            future.set_exception(AsteriskUnavailable(why))


class _Refusal(msgspec.Struct):
    message: str


def _reason(body: str) -> str:
    """Asterisk's own sentence (they are constants in C), if it looks like one."""
    with contextlib.suppress(ValueError, RecursionError):
        message = msgspec.json.decode(body, type=_Refusal).message
        if len(message) <= 120 and message.isascii() and message.isprintable():
            return message
    return ""


def _no_answer(name: str) -> AsteriskUnavailable:
    return AsteriskUnavailable(f"no answer to ARI {name} in time")


@asynccontextmanager
async def plain_http(address: AriAddress, limits: AriLimits) -> AsyncIterator[HttpTransport]:
    """Requests over HTTP, each with its time limit; what they raise names no secret."""
    async with address.session(limits) as session:
        transport = HttpTransport(session, address.url.rstrip("/"), limits.request_s)
        try:
            yield transport
        finally:
            transport.fail_all(AsteriskUnavailable("nobody asks ARI any more"))
            await transport.close()
