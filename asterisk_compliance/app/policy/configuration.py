"""The configuration of a running service: how it is loaded, and what a reload may change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asterisk_compliance.app.policy.policies import Policies, promised
from asterisk_compliance.app.policy.prompts import policies_for, said_by
from asterisk_compliance.config.settings import Settings, decode, read
from asterisk_compliance.domain.access.hearing_state import Said
from asterisk_compliance.domain.call.dialplan_fallback import Promise
from asterisk_compliance.errors import ConfigError

RELOADABLE = frozenset(
    {
        "controller",
        "publication",
        "purpose",
        "notice",
        "policy",
        "rules",
        "rule",
        "emergency",
        "retention",
        "requests",
        "role",
        "use",
        "past_calls",
        "answers",
        "reconcile",
        "webhook",
    }
)
"""Tables of which nothing lives longer than the policies; emergency numbers are the dialplan's."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A file that is right, with the prompts that it names.

    Attributes:
        digest: SHA-256 of the file's bytes, hex.
        policies: By node.
        hearing: What is said to who hears by telephone, by node and language.
    """

    source: Path
    settings: Settings
    digest: str
    policies: Mapping[str, Policies]
    hearing: Mapping[str, Mapping[str, Said]] = field(default_factory=dict)

    @property
    def promises(self) -> list[Promise]:
        """What the dialplans do alone while the service is not there."""
        return [
            one.promise
            for asterisk in self.settings.asterisk
            for one in promised(asterisk, self.settings, self.policies[asterisk.node])
        ]


class CurrentConfiguration:
    """The configuration that holds now. A reload replaces it here, and nowhere else."""

    def __init__(self, configuration: Configuration) -> None:
        self.current = configuration

    def replace(self, new: Configuration) -> None:
        self.current = new


class CurrentPolicies:
    """The policies of one Asterisk that hold now: calls that arrive ask for them."""

    def __init__(self, configuration: CurrentConfiguration, node: str) -> None:
        self._configuration = configuration
        self._node = node

    @property
    def current(self) -> Policies:
        return self._configuration.current.policies[self._node]


def load_configuration(source: Path, *, secrets: bool = True) -> Configuration:
    """Read the file once, and every prompt.

    Raises:
        ConfigError: with every problem of the settings; if they are right, with every problem of
            the prompts and wordings, of all Asterisks.
    """
    content = read(source)
    settings = decode(content, source=str(source), secrets=secrets)
    policies: dict[str, Policies] = {}
    hearing: dict[str, Mapping[str, Said]] = {}
    problems: list[str] = []
    for asterisk in settings.asterisk:
        try:
            policies[asterisk.node] = policies_for(asterisk, settings, str(source))
        except ConfigError as error:
            problems += error.problems
        hearing[asterisk.node] = said_by(asterisk, settings, problems)
    if problems:
        raise ConfigError(str(source), list(dict.fromkeys(problems)))
    digest = hashlib.sha256(content).hexdigest()
    return Configuration(source, settings, digest, policies, hearing)


def restart_needed(before: Settings, after: Settings) -> Iterator[str]:
    """What differs and cannot be changed while calls live, each with its address."""
    for table in Settings.model_fields:
        if table not in RELOADABLE:
            yield from _differences(
                table, before.model_dump(include={table}), after.model_dump(include={table})
            )


def _differences(table: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for address in _different(table, before[table], after[table]):
        yield f"{address}: needs a restart"


def _different(address: str, before: Any, after: Any) -> Iterator[str]:
    match before, after:
        case Mapping(), Mapping():
            for key in before:
                yield from _different(f"{address}.{key}", before[key], after[key])
        case tuple(), tuple() if len(before) == len(after) and _are_tables(before):
            for number, (one, other) in enumerate(zip(before, after, strict=True), 1):
                yield from _different(f"{address}[{number}]", one, other)
        case _ if before != after:
            yield address
        case _:
            pass


def _are_tables(values: Sequence[Any]) -> bool:
    return all(isinstance(value, Mapping) for value in values)
