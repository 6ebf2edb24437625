"""What is said to somebody who hears by telephone, read when the configuration is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from asterisk_compliance.app.policy.prompts import media_of, read_prompt
from asterisk_compliance.config.settings import AsteriskSettings, Settings
from asterisk_compliance.domain.access.hearing_state import Said
from asterisk_compliance.domain.policy.notice import Prompt


def said_by(
    asterisk: AsteriskSettings, settings: Settings, problems: list[str]
) -> Mapping[str, Said]:
    """The prompts of one Asterisk by language, the first one first.

    Nobody hears over an Asterisk without ARI, or where ``[hearing]`` is not configured.

    Args:
        asterisk: Whose files.
        settings: The whole configuration.
        problems: Each prompt that is missing or unreadable is added, with its address.
    """
    hearing = settings.hearing
    if hearing is None or asterisk.ari is None:
        return {}
    said: dict[str, Said] = {}
    for language in hearing.languages:
        found = {}
        for name, file in hearing.prompts.model_dump().items():
            read = read_prompt(asterisk, language, file, problems, f"hearing.prompts.{name}")
            if read is not None:
                found[name] = Prompt(media_of(asterisk, language, file), read[1])
        if len(found) == len(type(hearing.prompts).model_fields):
            said[language] = Said(**found)
    return said


def in_language(said: Mapping[str, Said], language: str) -> Said:
    """In the channel's language, possibly regional (``ja_JP``), if it is there; else the first."""
    wanted = language.replace("-", "_").split("_", 1)[0].lower()
    return said.get(wanted) or next(iter(said.values()))
