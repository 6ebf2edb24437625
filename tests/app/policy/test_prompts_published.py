"""A notice that leaves its purposes to the page is loaded only if it leads there."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from app.policy.test_prompts import write_prompt
from asterisk_compliance.app.policy.policies import Policies
from asterisk_compliance.app.policy.prompts import policies_for
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.policy.notice import Policy, ToldBy
from asterisk_compliance.errors import ConfigError
from sample_settings import raw, settings

LEADS = "We record this call. Our website says what for."
PAGE = {"page": "https://www.muster.example/aufnahme", "published": date(2026, 12, 1)}


def loaded(tmp_path: Path, text: str, language: str = "en", **tables: Any) -> Policies:
    write_prompt(tmp_path / language / "own.wav")
    value = raw()
    value["asterisk"][0]["sounds_here"] = str(tmp_path)
    value["controller"] |= tables.pop("controller", {})
    value["notice"][0] |= {
        "purposes_told_by": "publication",
        "wording": {language: {"prompt": "own", "text": text}},
    }
    value["policy"][0]["languages"] = [language]
    read = settings(**{**value, **tables})
    return policies_for(read.asterisk[0], read, "compliance.toml")


def problems(tmp_path: Path, text: str, language: str = "en", **tables: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text, language, **tables)
    return caught.value.problems


def test_it_needs_to_say_no_purpose(tmp_path: Path) -> None:
    policy = loaded(tmp_path, LEADS).by_name["inbound"]
    assert policy.notice.purposes == ("SERVICE", "QUALITY")
    assert policy.told_by is ToldBy.PUBLICATION


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("Our website says what for.", "that the call is recorded"),
        ("This call is recorded. The website says what for.", "by whom"),
        ("We record this call.", "where the purposes are published"),
        ("We record this call to improve our service.", "where the purposes are published"),
    ],
)
def test_what_it_does_not_say_is_a_problem(tmp_path: Path, text: str, lacking: str) -> None:
    said = f'notice[1].wording.en: notice "standard" does not say {lacking} in en'
    assert problems(tmp_path, text) == [said]


GERMAN = "Die Muster GmbH nimmt dieses Gespräch auf. Wozu, steht auf www.muster.example."


def test_in_another_language_the_name_and_the_host_of_the_page_are_looked_for(
    tmp_path: Path,
) -> None:
    named = {"name": "Muster GmbH"}
    loaded(tmp_path, GERMAN, "de", controller=PAGE | named)
    assert len(problems(tmp_path, GERMAN, "de", controller=named)) == 1
    assert len(problems(tmp_path, GERMAN, "de", controller=PAGE)) == 1
    assert len(problems(tmp_path, GERMAN, "de")) == 2


def test_or_a_name_and_a_phrase_of_the_site_in_that_language(tmp_path: Path) -> None:
    text = "Muster nimmt auf. Wozu, steht im Aushang."
    named = {"name": {"de": "Muster"}, "named": {"de": ["im Aushang"]}}
    loaded(tmp_path, text, "de", publication=named)
    assert len(problems(tmp_path, text, "de", publication={"name": {"de": "Muster"}})) == 1


@pytest.mark.parametrize(
    ("at", "published"),
    [
        (datetime(2026, 11, 30, 14, 59, 59, 999_999, tzinfo=UTC), False),
        (datetime(2026, 11, 30, 15, tzinfo=UTC), True),
    ],
)
@pytest.mark.parametrize("rules", [[], [{"id": "all", "terms": {"beep_s": 15}}]])
def test_a_call_is_asked_about_on_the_day_that_it_has_where_the_site_is(
    tmp_path: Path, at: datetime, published: bool, rules: list[dict[str, Any]]
) -> None:
    """Midnight in Tokyo, whether rules apply or not."""
    zone = {"time_zone": "Asia/Tokyo"}
    policies = loaded(tmp_path, LEADS, controller=PAGE, rules=zone, rule=rules)
    asked = {"policy": "inbound", "direction": "inbound", "queue": ""}
    applied = policies.apply(asked, number="", dialled="", language="en", at=at)
    assert isinstance(applied.policy, Policy)
    assert applied.published is published


def test_what_has_no_policy_has_no_page_either(tmp_path: Path) -> None:
    policies = loaded(tmp_path, LEADS)
    applied = policies.apply(Reason.POLICY_MISSING, number="", dialled="", language="en")
    assert applied.policy is Reason.POLICY_MISSING
