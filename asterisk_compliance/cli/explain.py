"""``asterisk-compliance explain``: what would happen to a call, and why, before there is one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption, moment
from asterisk_compliance.cli.output import print_json, print_line
from asterisk_compliance.domain.policy.matching import CallDirection
from asterisk_compliance.errors import ConfigError


def explain(
    *,
    policy: Annotated[str, typer.Option("--policy", help="Whose name the dialplan passes.")],
    number: Annotated[
        str, typer.Option("--from", help="The caller's number, as Asterisk has it.")
    ] = "",
    dialled: Annotated[
        str, typer.Option("--to", help="The dialled number, as Asterisk has it.")
    ] = "",
    at: Annotated[str | None, typer.Option("--at", help="When; now unless given.")] = None,
    direction: Annotated[
        CallDirection, typer.Option("--direction", help="Who calls whom.")
    ] = CallDirection.INBOUND,
    queue: Annotated[str, typer.Option("--queue", help="The queue that the dialplan names.")] = "",
    language: Annotated[str, typer.Option("--language", help="The channel's language.")] = "",
    config: ConfigFileOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say what would happen to a call, which rules decide that, and where they come from.

    Needs no Asterisk, no secret and no prompt, and changes nothing.
    """
    from asterisk_compliance.app.policy.arrivals import facts_of, parse_arguments
    from asterisk_compliance.app.policy.policies import notices_heard, relies_on_page
    from asterisk_compliance.app.policy.prompts import publication_of
    from asterisk_compliance.config.settings import load
    from asterisk_compliance.domain.call.decision import Reason
    from asterisk_compliance.domain.phone_numbers import is_emergency
    from asterisk_compliance.domain.policy import explanation as explaining
    from asterisk_compliance.domain.policy.rules import resolve
    from asterisk_compliance.shipped.presets import emergency_numbers

    settings = load(config, secrets=False)
    chosen = {one.name: one for one in settings.policy}.get(policy)
    if chosen is None:
        names = ", ".join(one.name for one in settings.policy)
        raise ConfigError(str(config), ["there is no such policy"], hint=f"one of {names}")
    asked = parse_arguments([f"policy={policy}", f"direction={direction}", f"queue={queue}"])
    if isinstance(asked, Reason):
        raise typer.BadParameter("a queue is letters, digits, '_', '.' and '-', up to 64")
    facts = facts_of(
        asked,
        number=number,
        dialled=dialled,
        language=language,
        home=settings.rules.home,
        at=_when(at).astimezone(settings.rules.time_zone),
    )
    resolution = resolve(settings.every_rule, facts, chosen.terms)
    numbers = settings.emergency.numbers
    explanation = explaining.explain(
        resolution,
        facts,
        settings.every_rule,
        emergency=is_emergency(
            dialled,
            emergency_numbers() if numbers is None else numbers,
            settings.emergency.outside_prefixes,
        ),
        notice=chosen.notice_for(resolution.terms.consent),
        purposes=explaining.told_by_publication(publication_of(settings), facts.at)
        if relies_on_page(notices_heard(settings, chosen, [resolution.terms.consent]))
        else "",
    )
    if as_json:
        print_json(explanation)
    else:
        for line in explanation.lines():
            print_line(line)


def _when(text: str | None) -> datetime:
    at = moment(text)
    return datetime.fromisoformat(at) if at else datetime.now(UTC)
