"""``asterisk-compliance calls list``: find calls by what the log says of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.audit.commands import SinceOption, UntilOption
from asterisk_compliance.cli.context import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    StoreOption,
    duration_ms,
    moment,
    store_directory,
    typed,
)
from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import milliseconds, timestamp
from asterisk_compliance.domain.audit.projection import LEVELS, PURPOSE_SEPARATOR
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import Leg
from asterisk_compliance.domain.phone_numbers import notations
from asterisk_compliance.ids import CallId, is_call_id, is_request_id
from asterisk_compliance.storage.log.reader import ListedCall, StoreReader
from asterisk_compliance.storage.search.finder import ANY, CallFinder, CallSearch

CONSENTS = ("given", "refused", "expired", "not_refused", "withdrawn")
TECHNOLOGIES = ("PJSIP", "SIP", "IAX2", "DAHDI")
"""Of channels that are telephones, as Asterisk names them."""
PAGE = 100
COLUMNS = ("began", "call", "policy", "queue", "notice", "decision", "reason", "purposes",
           "lasted", "recording")  # fmt: skip

SPARE = ("purposes", "notice", "lasted", "reason", "policy", "queue", "recording", "decision")
"""Left out where the terminal is narrow, the first ones first."""

_Text: TypeAlias = str | None


def list_calls(
    *,
    number: Annotated[
        _Text,
        typer.Option("--number", help="A party's, in any notation; - reads standard input."),
    ] = None,
    dialled: Annotated[
        _Text, typer.Option("--dialled", help="The number that was dialled; as --number.")
    ] = None,
    agent: Annotated[
        _Text, typer.Option("--agent", help="Endpoint of an agent who was in it: PJSIP/anna.")
    ] = None,
    user: Annotated[
        _Text, typer.Option("--user", help="Of the staff, who did something with the call.")
    ] = None,
    channel: Annotated[
        _Text, typer.Option("--channel", help="UNIQUEID of the told party, or of who joined.")
    ] = None,
    node: Annotated[
        _Text, typer.Option("--node", help="Of this Asterisk: [[asterisk]] node.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    policy: Annotated[_Text, typer.Option("--policy", help="As the dialplan asked for it.")] = None,
    queue: Annotated[
        _Text, typer.Option("--queue", help="As the dialplan named it; '' means none.")
    ] = None,
    leg: Annotated[_Text, typer.Option("--leg", help="caller or callee.")] = None,
    decision: Annotated[
        _Text, typer.Option("--decision", help="ALLOWED, NOT_RECORDED or REFUSED.")
    ] = None,
    reason: Annotated[_Text, typer.Option("--reason", help="A reason code.")] = None,
    purpose: Annotated[
        _Text, typer.Option("--purpose", help="A purpose code that the caller was told.")
    ] = None,
    notice: Annotated[
        _Text, typer.Option("--notice", help="ID, ID/VERSION or ID/VERSION/LANGUAGE.")
    ] = None,
    consent: Annotated[
        _Text, typer.Option("--consent", help=f"What the caller last said: {', '.join(CONSENTS)}.")
    ] = None,
    level: Annotated[_Text, typer.Option("--level", help="That of a recording of it.")] = None,
    longer: Annotated[
        _Text, typer.Option("--longer", help="It lasted at least so long: 90s, 5m, 2h.")
    ] = None,
    shorter: Annotated[_Text, typer.Option("--shorter", help="It lasted less.")] = None,
    recorded_longer: Annotated[
        _Text, typer.Option("--recorded-longer", help="At least so much was recorded of it.")
    ] = None,
    recorded_shorter: Annotated[
        _Text, typer.Option("--recorded-shorter", help="Less was recorded of it.")
    ] = None,
    held: Annotated[
        _Text, typer.Option("--held", help="By a legal hold of this matter: CASE-2026-17.")
    ] = None,
    request: Annotated[
        _Text, typer.Option("--request", help="That a person's request is about: q-…, or any.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = PAGE,
    before: Annotated[
        _Text, typer.Option("--before", help="Only older ones than this call: the next page.")
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="Say how many there are.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Find calls by everything that you say, newest first."""
    home = _home(config, store) if number or dialled else None
    search = CallSearch(
        number=_notations("--number", number, home),
        dialled=_notations("--dialled", dialled, home),
        agent=_endpoints(agent),
        user=_given("--user", user),
        channel=_given("--channel", channel),
        node=_given("--node", node),
        since_ms=_ms(since),
        until_ms=_ms(until),
        policy=_given("--policy", policy),
        queue=queue,
        leg=_one_of("--leg", leg, Leg),
        decision=_one_of("--decision", decision, Status),
        reason=_one_of("--reason", reason, Reason),
        purpose=_given("--purpose", purpose),
        notice=_given("--notice", notice),
        consent=_one_of("--consent", consent, CONSENTS),
        level=_one_of("--level", level, LEVELS),
        longer_ms=duration_ms(longer),
        shorter_ms=duration_ms(shorter),
        recorded_longer_ms=duration_ms(recorded_longer),
        recorded_shorter_ms=duration_ms(recorded_shorter),
        matter=_given("--held", held),
        request=_request(request),
    )
    with StoreReader(store_directory(config, store)) as reader:
        if count:
            _print_count(CallFinder(reader).count(search), as_json=json)
            return
        page = CallFinder(reader).page(search, limit, _call(before))
        calls = [(call, reader.recordings(str(call["call"]))) for call in page.calls]
    if json:
        for call, recordings in calls:
            output.print_json(as_json(call, recordings))
    else:
        lines = (_cells(call, recordings) for call, recordings in calls)
        output.stdout().print(output.fitted(COLUMNS, lines, SPARE))
    if page.more:
        output.say(f"there are older ones: --before {page.calls[-1]['call']}")


def as_json(call: ListedCall, recordings: list[ListedCall]) -> dict[str, object]:
    """A call as JSON: when it began, purposes as a list, its recordings inside."""
    purposes = call.get("purposes")
    codes = purposes.split(PURPOSE_SEPARATOR) if isinstance(purposes, str) else []
    return {**call, "began_at": began_at(call), "purposes": codes, "recordings": recordings}


def began_at(call: ListedCall) -> str:
    """When it arrived; of one that the dialplan recorded alone, when Asterisk made its channel."""
    return timestamp(minted_ms(str(call["call"])))


def _cells(call: ListedCall, recordings: list[ListedCall]) -> tuple[object, ...]:
    lasted_ms = call["lasted_ms"]
    return (
        began_at(call),
        call["call"],
        call["policy"],
        call["queue"],
        call["notice_state"],
        call["decision"],
        call["reason"],
        call["purposes"],
        f"{lasted_ms // 1_000} s" if isinstance(lasted_ms, int) else None,
        " ".join(map(_level, recordings)),
    )


def _level(recording: ListedCall) -> str:
    """How far it came, and who alone told the caller, where it was not the service."""
    told_by = recording["told_by"]
    return f"{recording['level']} ({told_by})" if told_by else str(recording["level"])


def _print_count(count: int, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"calls": count})
    else:
        output.print_line(str(count))


def _home(config: Path | None, store: Path | None) -> str | None:
    """The country whose national notation a number may have; unknown without a configuration."""
    if config is None and store is not None:
        return None
    from asterisk_compliance.config.settings import load

    return load(config or DEFAULT_CONFIG, secrets=False).rules.home


def _notations(option: str, number: str | None, home: str | None) -> tuple[str, ...]:
    if number is None:
        return ()
    known = notations(typed(number), home)
    if not known:
        raise typer.BadParameter("there is no digit in this number", param_hint=option)
    return known


def _given(option: str, said: str | None) -> str:
    """What was said; an empty word, such as a variable that is not set, must not mean all calls."""
    if said is not None and not said.strip():
        raise typer.BadParameter("is empty", param_hint=option)
    return said or ""


def _endpoints(said: str | None) -> tuple[str, ...]:
    """The endpoint; where its technology is left out, that of any telephone."""
    agent = _given("--agent", said)
    if not agent or "/" in agent:
        return (agent,) if agent else ()
    return tuple(f"{one}/{agent}" for one in TECHNOLOGIES)


def _ms(text: str | None) -> int | None:
    at = moment(text)
    return None if at is None else milliseconds(at)


def _one_of(option: str, said: str | None, known: Iterable[str]) -> str:
    if said is not None and said not in set(known):
        raise typer.BadParameter(f"one of {', '.join(known)}", param_hint=option)
    return said or ""


def _request(said: str | None) -> str:
    if said is not None and said != ANY and not is_request_id(said):
        raise typer.BadParameter(f"q-…, or {ANY}", param_hint="--request")
    return said or ""


def _call(said: str | None) -> CallId | None:
    if said is not None and not is_call_id(said):
        raise typer.BadParameter("this is no id of a call: c-…", param_hint="--before")
    return CallId(said) if said else None
