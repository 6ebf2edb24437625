"""A linter for the words of prompts: what a party must be told, and how little it should cost them.

Two severities. An *error* is a wording that must not be played: it does not tell what a notice
has to tell, promises what the policy does not keep, or presses people. *Advice* is what would
lower the burden further. ``docs/wording.md`` explains every finding with examples.

Purposes have to be told: APPI (Japan) Article 21; that a call is recorded, by the industry's
code; no deceit: APPI Article 20. The rest is what we hold to be fair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from asterisk_compliance.domain.disclosure.phrase_patterns import (
    EXPRESSIONS,
    PLACEHOLDER,
    Expressions,
    fold,
    keys_spoken,
    sentences,
)
from asterisk_compliance.domain.disclosure.publication import purposes_left_out
from asterisk_compliance.domain.purposes import Purpose

LONGEST_MS = 12_000
"""Longer than this, people stop listening."""


class PromptKind(StrEnum):
    NOTICE = "notice"
    """What a party must hear before it may be recorded."""
    QUESTION = "question"
    """A notice that asks for consent; silence is none."""
    ANNOUNCEMENT = "announcement"
    """Anything else."""


class LintSeverity(StrEnum):
    ERROR = "error"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class WordingFinding:
    """What is wrong with a wording.

    Attributes:
        id: Stable, ``W01`` and so on; never used again for another finding.
        what: What was found, in one sentence, without its full stop.
        hint: What to do about it.
    """

    id: str
    severity: LintSeverity
    what: str
    hint: str


HINTS: Mapping[str, tuple[LintSeverity, str]] = {
    "W01": (LintSeverity.ERROR, "say that the call is recorded"),
    "W02": (LintSeverity.ERROR, "say why, in a phrase of that purpose"),
    "W03": (LintSeverity.ERROR, "say why first: people wonder what for as soon as they hear of it"),
    "W04": (
        LintSeverity.ERROR,
        "shorten it to 12 s: fewer words, or a shorter name for each purpose",
    ),
    "W05": (LintSeverity.ERROR, "name the key, in a sentence about pressing it"),
    "W06": (LintSeverity.ERROR, "say how to decline, as plainly as how to accept"),
    "W07": (
        LintSeverity.ERROR,
        "ask, or offer a way to decline; say what happens, not what is lost",
    ),
    "W08": (LintSeverity.ERROR, "leave it out, or say what a caller can verify"),
    "W09": (LintSeverity.ERROR, "fill it in, or leave it out"),
    "W10": (LintSeverity.ERROR, "give the policy this key, or leave it out"),
    "W11": (LintSeverity.ADVICE, "say who can listen, if there is time"),
    "W12": (LintSeverity.ADVICE, "say when the recording is deleted, if there is time"),
    "W13": (LintSeverity.ADVICE, "say that pressing nothing means no recording"),
    "W14": (LintSeverity.ADVICE, "let somebody who speaks it read it against docs/wording.md"),
    "W15": (LintSeverity.ERROR, "it leaves its purposes to the page: name that, and who records"),
}
"""Severity and hint of every finding."""


def lint(
    wording: str,
    language: str,
    *,
    purposes: Iterable[Purpose] = (),
    length_ms: int | None = None,
    kind: PromptKind = PromptKind.NOTICE,
    digits: Mapping[str, str] | None = None,
    pointers: Mapping[str, Iterable[str]] | None = None,
) -> tuple[WordingFinding, ...]:
    """All that is wrong with ``wording``, by id; never raises.

    Args:
        wording: The words as they were given to the voice.
        language: ``ja`` or ``en``; of another only purposes, length and placeholders are
            looked at, and the last finding says so.
        purposes: What the recording may serve; each must be said. A notice has at least one, or
            leaves them to the published page.
        length_ms: Of the prompt; ``None`` if it has not been spoken yet.
        digits: What the policy understands: from a role (``accept``, ``refuse``) to a key
            (``0``-``9``, ``*``, ``#``).
        kind: What the prompt is for; an announcement has to tell less.
        pointers: Of a notice that leaves its purposes to the published page: the further words
            that :func:`~.publication.unpointed` takes.
    """
    folded = fold(wording)
    said = EXPRESSIONS.get(language)
    found = [
        *(
            _purposes(wording, language, tuple(purposes), said, kind)
            if pointers is None
            else _pointed(wording, language, pointers)
        ),
        *_form(folded, length_ms),
    ]
    if said is None:
        found.append(_finding("W14", f"there are no expressions for {language}"))
    else:
        found += _choice(folded, said, kind, digits or {})
        if superlative := said.superlative.search(folded):
            found.append(_finding("W08", f'nobody can verify "{superlative[0]}"'))
        if kind is not PromptKind.ANNOUNCEMENT:
            found += _burden(folded, said)
    return tuple(sorted(found, key=lambda finding: finding.id))


def _finding(code: str, what: str) -> WordingFinding:
    severity, hint = HINTS[code]
    return WordingFinding(code, severity, what, hint)


def _purposes(
    wording: str,
    language: str,
    purposes: tuple[Purpose, ...],
    said: Expressions | None,
    kind: PromptKind,
) -> Iterator[WordingFinding]:
    """Why, that, and in this order: up to the end of the sentence that says "record"."""
    if kind is not PromptKind.ANNOUNCEMENT and not purposes:
        yield _finding("W02", "it is for no purpose")
    told = _up_to_recording(fold(wording), said) if said else wording
    if told is None:
        if kind is not PromptKind.ANNOUNCEMENT:
            yield _finding("W01", "there is no word for recording")
        told = wording
    for purpose in purposes:
        if not purpose.is_named_in(wording, language):
            yield _finding("W02", f"purpose {purpose.code} is not said")
        elif not purpose.is_named_in(told, language):
            yield _finding("W03", f"purpose {purpose.code} is said only after the recording")


def _pointed(
    wording: str, language: str, pointers: Mapping[str, Iterable[str]]
) -> Iterator[WordingFinding]:
    for what in purposes_left_out(wording, language, **pointers):
        yield _finding("W15", f"it does not say {what}")


def _up_to_recording(folded: str, said: Expressions) -> str | None:
    """Everything up to the end of the sentence with the first word for recording."""
    told = ""
    for sentence in sentences(folded):
        told += sentence + "\n"
        if said.recording.search(sentence):
            return told
    return None


def _form(folded: str, length_ms: int | None) -> Iterator[WordingFinding]:
    if length_ms is not None and length_ms > LONGEST_MS:
        yield _finding("W04", f"it takes {length_ms / 1_000:.1f} s")
    if placeholder := PLACEHOLDER.search(folded):
        yield _finding("W09", f'"{placeholder[0]}" is a placeholder')


def _choice(
    folded: str, said: Expressions, kind: PromptKind, digits: Mapping[str, str]
) -> Iterator[WordingFinding]:
    """Keys are promises: those of the policy are said, and no other is."""
    spoken = keys_spoken(folded, said)
    for role, key in digits.items():
        if key not in spoken:
            yield _finding("W05", f"key {key} ({role}) is not said")
    for key in sorted(spoken - set(digits.values())):
        yield _finding("W10", f"key {key} is said, and the policy has none such")
    asks = kind is PromptKind.QUESTION or "refuse" in digits
    if asks and not said.decline.search(folded):
        yield _finding("W06", "it offers a choice and does not say how to decline")
    if kind is PromptKind.QUESTION and not said.silence.search(folded):
        yield _finding("W13", "it asks and does not say what silence means")


def _burden(folded: str, said: Expressions) -> Iterator[WordingFinding]:
    """What a party feels who is about to be recorded. An announcement comes after the choice."""
    if threat := said.threat.search(folded):
        yield _finding("W07", f'"{threat[0]}" is a threat')
    elif (forced := said.forced.search(folded)) and not said.decline.search(folded):
        yield _finding("W07", f'"{forced[0]}" leaves no choice')
    if not said.listeners.search(folded):
        yield _finding("W11", "it does not say who listens")
    if not said.period.search(folded):
        yield _finding("W12", "it does not say how long the recording is kept")
