"""``asterisk-compliance check``: what an operator should know before the next call."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from asterisk_compliance.cli.context import DEFAULT_CONFIG, ConfigFileOption, JsonOption
from asterisk_compliance.cli.output import print_json, say, stdout, table


def check(
    *,
    within: Annotated[
        int,
        typer.Option("--within", min=0, max=3_650, help="Tell changes so many days ahead."),
    ] = 90,
    config: ConfigFileOption = DEFAULT_CONFIG,
    dialplan: Annotated[
        str | None,
        typer.Option("--dialplan", help="The site's extensions.conf; - is standard input."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask neither Asterisk nor the service; no secret.")
    ] = False,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Place calls of our own, too. No telephone rings.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at the configuration, its files, Asterisk and the service, and say what is wrong.

    Exit status: 1 with a finding that is an error, 2 if the configuration does not load.
    """
    if offline and self_test:
        raise typer.BadParameter("a call cannot be placed with --offline")
    import asyncio

    from asterisk_compliance.app.checks.access import use_findings
    from asterisk_compliance.app.checks.configuration import (
        retention_findings,
        rule_findings,
        sealing_findings,
        wiring_findings,
    )
    from asterisk_compliance.app.checks.dialplan import dialplan_findings
    from asterisk_compliance.app.checks.duties import incident_findings, request_findings
    from asterisk_compliance.app.checks.files import file_findings, record_findings
    from asterisk_compliance.app.checks.finding import OperatorSeverity
    from asterisk_compliance.app.checks.keys import key_findings
    from asterisk_compliance.app.checks.live.asterisks import live_findings
    from asterisk_compliance.app.checks.load import load_findings
    from asterisk_compliance.app.checks.publication import publication_findings
    from asterisk_compliance.app.checks.storage import hearing_findings, storage_findings
    from asterisk_compliance.app.policy.configuration import load_configuration
    from asterisk_compliance.clock import unix_ms

    configuration = load_configuration(config, secrets=False)
    settings = configuration.settings
    findings = [
        *wiring_findings(settings),
        *sealing_findings(settings),
        *key_findings(settings),
        *file_findings(settings, config),
        *storage_findings(settings),
        *load_findings(settings),
        *record_findings(settings),
        *retention_findings(settings),
        *use_findings(settings),
        *request_findings(settings, unix_ms()),
        *incident_findings(settings, unix_ms()),
        *hearing_findings(settings),
        *publication_findings(configuration, datetime.now(UTC)),
        *rule_findings(settings, datetime.now(UTC), within),
        *dialplan_findings(settings, dialplan, str(config)),
    ]
    if self_test:
        say("placing calls of our own: some ten seconds")
    if not offline:
        findings += asyncio.run(live_findings(configuration, self_test=self_test))
    findings.sort(key=lambda one: tuple(OperatorSeverity).index(one.severity))
    if as_json:
        print_json(findings)
    elif findings:
        columns = ("finding", "severity", "where", "what", "what to do")
        lines = [(one.id, one.severity, one.address, one.what, one.todo) for one in findings]
        stdout().print(table(columns, lines))
    found = [one.severity for one in findings]
    counts = [count(found.count(severity), severity) for severity in OperatorSeverity]
    say(f"{config} loads: {', '.join(counts)}")
    raise typer.Exit(1 if OperatorSeverity.ERROR in found else 0)


def count(number: int, what: str) -> str:
    """Such as ``1 error`` and ``2 errors``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
