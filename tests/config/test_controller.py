"""Who is responsible, what is published, and which notices leave their purposes to the page."""

from __future__ import annotations

from typing import Any

import pytest

from asterisk_compliance.domain.disclosure.publication import LegalBasis
from asterisk_compliance.domain.policy.notice import ToldBy
from sample_settings import accepted, problems, raw


def site(**publication: Any) -> dict[str, Any]:
    return raw() | {"publication": publication}


def pointing(**policy: Any) -> dict[str, Any]:
    value = raw()
    value["notice"][0]["purposes_told_by"] = "publication"
    value["policy"][0] |= policy
    return value


def test_purposes_are_told_by_the_words_unless_it_is_said() -> None:
    assert accepted(raw()).notice[0].purposes_told_by is ToldBy.NOTICE
    assert accepted(pointing()).notice[0].purposes_told_by is ToldBy.PUBLICATION


def test_a_basis_is_one_of_those_of_the_law() -> None:
    basis = accepted(site(basis={"QUALITY": "public-task"})).publication.basis
    assert basis == {"QUALITY": LegalBasis.PUBLIC_TASK}
    (problem,) = problems(site(basis={"QUALITY": "because"}))
    assert problem.startswith("publication.basis.QUALITY: Input should be 'consent'")


@pytest.mark.parametrize(
    ("publication", "address"),
    [
        ({"name": {"japanese": "x"}}, "publication.name.japanese.[key]"),
        ({"address": {"ja": ""}}, "publication.address.ja"),
        ({"named": {"ja": [""]}}, "publication.named.ja.0"),
        ({"hearing_number": "call us"}, "publication.hearing_number"),
        ({"page": "https://example.jp"}, "publication.page"),
        ({"recipient": [{"name": {"en": "A"}}]}, "publication.recipient.0.country"),
    ],
)
def test_a_mistake_is_found_with_its_address(publication: dict[str, Any], address: str) -> None:
    assert address in {problem.partition(": ")[0] for problem in problems(site(**publication))}


@pytest.mark.parametrize("key", ["notice", "notice_opt_out", "notice_opt_in", "notice_joined"])
def test_the_dialplan_alone_records_nothing_that_only_the_page_tells(key: str) -> None:
    """It looks at no date. Refused wherever such a notice stands."""
    value = pointing(fallback="record")
    value["notice"].append(value["notice"][0] | {"id": "words", "purposes_told_by": "notice"})
    value["policy"][0] |= {"notice": "words", key: "standard"}
    what = f"its {key} tells purposes by publication"
    assert problems(value) == [
        f"policy[1].fallback: {what}, and the dialplan alone looks at no date"
    ]
    value["notice"][0]["purposes_told_by"] = "notice"
    accepted(value)


def test_without_that_fallback_it_may_leave_them_to_the_page() -> None:
    assert accepted(pointing()).policy[0].notice == "standard"
