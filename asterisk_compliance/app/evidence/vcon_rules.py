"""The rules of the vCon core draft for the unsigned form, as far as we write it.

draft-ietf-vcon-vcon-core-03, sections 2 and 4. What breaks one is a defect of ours, and is found
before a vCon is left anywhere. Other people's vCons can hold more than this knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9]\d*)?Z")
"""RFC 8620, 1.4: capital letters, and no fraction that is zero; ours are in UTC."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_HASH: Final = re.compile(r"(sha256-[A-Za-z0-9_-]{43}|sha512-[A-Za-z0-9_-]{86})")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
_DISPOSITIONS: Final = frozenset(
    {"no-answer", "congestion", "failed", "busy", "hung-up", "voicemail-no-message"}
)
_EVENTS: Final = frozenset({"join", "drop", "hold", "unhold", "mute", "unmute"})
_TEXT: Final[Mapping[str, Callable[[str], Any]]] = {
    "created_at": _DATE.fullmatch,
    "updated_at": _DATE.fullmatch,
    "start": _DATE.fullmatch,
    "time": _DATE.fullmatch,
    "uuid": bool,
    "mediatype": _MEDIA_TYPE.fullmatch,
    "url": lambda text: text.startswith("https://"),
    "event": _EVENTS.__contains__,
    "disposition": _DISPOSITIONS.__contains__,
}
"""What a member that is text must be like, wherever it stands outside of a body."""


def broken(made: Mapping[str, Any]) -> list[str]:
    """Every rule that ``made`` breaks, with its place; empty: it is a vCon."""
    return list(_broken(made))


def _broken(made: Mapping[str, Any]) -> Iterator[str]:
    for member in ("uuid", "created_at", "parties"):
        if member not in made:
            yield f"{member}: is missing"
    if not _UUID.fullmatch(str(made.get("uuid"))):
        yield "uuid: is no UUID of version 8"
    if "redacted" in made and not made["redacted"].get("type"):
        yield "redacted.type: is missing"
    yield from _texts("", made)
    parties, dialogs = len(made.get("parties", ())), len(made.get("dialog", ()))
    for number, dialog in enumerate(made.get("dialog", ())):
        at = f"dialog[{number}]"
        found = (*_dialog(dialog, parties, dialogs), *_kept_back(dialog, made))
        yield from (f"{at}.{problem}" for problem in found)
    for number, attachment in enumerate(made.get("attachments", ())):
        at = f"attachments[{number}]"
        yield from (f"{at}.{problem}" for problem in _attachment(attachment, parties, dialogs))


def _texts(at: str, value: Any) -> Iterator[str]:
    """Whatever is written by one of the forms of :data:`_TEXT`; bodies are somebody else's."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            where = f"{at}.{key}" if at else key
            if key in _TEXT and not (isinstance(member, str) and _TEXT[key](member)):
                yield f"{where}: is none"
            if key not in {"body", "consents", "proof"}:
                yield from _texts(where, member)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _texts(f"{at}[{number}]", one)


def _dialog(dialog: Mapping[str, Any], parties: int, dialogs: int) -> Iterator[str]:
    kind = dialog.get("type")
    if kind not in {"recording", "incomplete", "recording-set"}:
        yield "type: is none that we write"
    if "start" not in dialog:
        yield "start: is missing"
    if (kind == "incomplete") != ("disposition" in dialog):
        yield "disposition: belongs to a dialog that is incomplete, and each of them has it"
    if (kind == "recording-set") != ("recordings" in dialog):
        yield "recordings: belongs to a set, and every set has it"
    if kind == "recording":
        yield from _content(dialog)
    elif dialog.keys() & {"body", "url", "content_hash", "encoding", "mediatype"}:
        yield "body: a dialog of this type has no content"
    yield from _references(dialog, parties, dialogs)


def _references(dialog: Mapping[str, Any], parties: int, dialogs: int) -> Iterator[str]:
    indices = [*_flat(dialog.get("parties", [])), dialog.get("originator", 0)]
    indices += [event["party"] for event in dialog.get("party_history", ())]
    if not all(index is None or 0 <= index < parties for index in indices):
        yield "parties: there is no such party"
    if not all(0 <= index < dialogs for index in dialog.get("recordings", ())):
        yield "recordings: there is no such dialog"
    duration = dialog.get("duration", 0)
    if not (isinstance(duration, int | float) and duration >= 0):
        yield "duration: is no number of seconds"


def _kept_back(dialog: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    has_content = dialog.keys() & {"body", "url"}
    if dialog.get("type") == "recording" and not has_content and "redacted" not in made:
        yield "body: is missing, and nothing is redacted"


def _flat(indices: Any) -> Iterator[Any]:
    if isinstance(indices, list):
        for one in indices:
            yield from _flat(one)
    else:
        yield indices


def _content(holder: Mapping[str, Any]) -> Iterator[str]:
    """A file is inside, with its encoding; or elsewhere, with its hash."""
    if "body" in holder and "url" in holder:
        yield "body: is inside and elsewhere"
    if "body" in holder and holder.get("encoding") not in {"base64url", "json", "none"}:
        yield "encoding: is missing, or none"
    if holder.get("encoding") == "base64url" and not _BASE64URL.fullmatch(holder.get("body", "")):
        yield "body: is not base64url"
    if "url" in holder and "content_hash" not in holder:
        yield "content_hash: is missing"
    if not all(_HASH.fullmatch(one) for one in holder.get("content_hash", ())):
        yield "content_hash: is none"
    if "body" in holder and "mediatype" not in holder:
        yield "mediatype: is missing"


def _attachment(attachment: Mapping[str, Any], parties: int, dialogs: int) -> Iterator[str]:
    for member in ("start", "party", "dialog", "purpose", "body", "encoding"):
        if member not in attachment:
            yield f"{member}: is missing"
    if not 0 <= attachment.get("party", 0) < parties:
        yield "party: there is no such party"
    if not 0 <= attachment.get("dialog", 0) < dialogs:
        yield "dialog: there is no such dialog"
    yield from _content(attachment)
