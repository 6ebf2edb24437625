"""Findings about a site's dialplan, compared with its configuration."""

from __future__ import annotations

from dataclasses import replace

from asterisk_compliance.app.checks.finding import OperatorFinding, OperatorSeverity
from asterisk_compliance.app.dialplan.reading import Reading, read_dialplan
from asterisk_compliance.app.dialplan.rendering import (
    emergency_with_prefixes,
    render_default,
    render_for,
)
from asterisk_compliance.config.settings import AsteriskSettings, Settings
from asterisk_compliance.domain.dialplan.checker import by_gravity, check
from asterisk_compliance.domain.dialplan.config_lines import statements
from asterisk_compliance.domain.dialplan.expectations import DialplanExpectations
from asterisk_compliance.domain.dialplan.findings import DialplanFinding
from asterisk_compliance.domain.dialplan.model import plan_of
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped.presets import emergency_numbers


def dialplan_findings(settings: Settings, chosen: str | None, source: str) -> list[OperatorFinding]:
    """What there is to know about the dialplans that the configuration names.

    Args:
        settings: Right ones.
        chosen: A file to read instead; then there must be one Asterisk.
        source: The configuration, for errors.

    Raises:
        ConfigError: a dialplan cannot be read, or whose the chosen one is cannot be known.
    """
    if chosen is not None and len(settings.asterisk) != 1:
        problem = "there are several: set asterisk.dialplan of each instead of --dialplan"
        raise ConfigError(source, [problem])
    found: list[OperatorFinding] = []
    for asterisk in settings.asterisk:
        path = chosen or (str(asterisk.dialplan) if asterisk.dialplan else None)
        if path is not None:
            found += map(_ours, checked(path, settings, asterisk, source))
    return found


def checked(
    path: str, settings: Settings, asterisk: AsteriskSettings, source: str
) -> list[DialplanFinding]:
    """Findings about one dialplan, held to one Asterisk of a configuration.

    Raises:
        ConfigError: it cannot be read, or a prompt cannot that the dialplan shall play.
    """
    reading = read_dialplan(path)
    site = replace(
        _beside(reading, render_for(settings, asterisk, source)),
        policies=frozenset(policy.name for policy in settings.policy),
        application=asterisk.ari.application if asterisk.ari else "compliance",
        staff=asterisk.staff,
        emergency=frozenset(emergency_with_prefixes(settings)),
        limit_s=settings.limits.dialplan_s,
        segments=asterisk.segments,
    )
    return _together(reading, site)


def checked_alone(path: str) -> list[DialplanFinding]:
    """Findings about a dialplan without a configuration: policies and staff are not known.

    Raises:
        ConfigError: it cannot be read.
    """
    reading = read_dialplan(path)
    site = _beside(reading, render_default())
    return _together(reading, replace(site, emergency=emergency_numbers()))


def _beside(reading: Reading, rendered: str) -> DialplanExpectations:
    """What Asterisk's own files say of a site."""
    return DialplanExpectations(
        rendered=plan_of(statements(rendered, "compliance.conf")),
        features=reading.features,
        recording_queues=reading.recording_queues,
        queue_members=reading.queue_members,
        recording_bridges=reading.recording_bridges,
        entries=reading.entries,
    )


def _together(reading: Reading, site: DialplanExpectations) -> list[DialplanFinding]:
    return by_gravity([*reading.findings, *check(reading.plan, site)])


def _ours(one: DialplanFinding) -> OperatorFinding:
    where = f"{one.place} {one.address}".rstrip()
    return OperatorFinding(one.id, OperatorSeverity(one.severity), where, one.what, one.todo)
