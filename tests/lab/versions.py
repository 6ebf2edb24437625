"""What the Asterisk under test can: a test expects what the service does with it, or without.

What follows from the version alone stands in ``asterisk_compliance.domain.asterisk.version``, where
the service has it from; what was measured of Debian's builds stands here. docs/versions.md tells
both.
"""

from __future__ import annotations

from asterisk_compliance.domain.asterisk import version as asterisk_version
from asterisk_compliance.domain.asterisk.version import Ability
from lab.rootfs import AsteriskBuild


def can(build: AsteriskBuild, ability: Ability) -> bool:
    return asterisk_version.can(asterisk_version.version_of(build.version), ability)


def loses_audio(build: AsteriskBuild) -> bool:
    """Whether it loses about half of all who come after a transfer, where nothing heals it."""
    return build.release >= (22,)


def mutes_by_id(build: AsteriskBuild) -> bool:
    """Whether it mutes the one MixMonitor that is named, and refuses where that is gone."""
    return build.release >= (22,)


def whispers_into_silence(build: AsteriskBuild) -> bool:
    """Whether a party hears a whisper while the other one sends no packets."""
    return build.release >= (22, 11)


def forgets_snoops(build: AsteriskBuild) -> bool:
    """Whether ARI does not show a snoop any more once it was hung up."""
    return build.release >= (22, 11)


def has_module(build: AsteriskBuild, name: str) -> bool:
    return (build.here(build.modules_dir) / f"{name}.so").exists()
