"""Rows as people read them: one line each."""

from __future__ import annotations

from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.storage.log.reader import StoredRow


def cells(row: StoredRow) -> tuple[object, ...]:
    """Number, time, kind, call, actor, and the detail on one line."""
    try:
        said = decode(row.data)
    except ValueError:
        return (row.seq, None, "(not a row)", None, None, row.data.decode(errors="replace"))
    return (row.seq, said.at, said.kind, said.call, said.actor, detail_text(said))


def detail_text(row: Row) -> str:
    """The detail on one line; digests and commitments are shortened, ``--json`` has them whole."""
    parts: list[str] = []
    for name, value in row.detail.items():
        text = "&".join(value) if isinstance(value, tuple) else _word(value)
        shortened = len(text) == 64 and set(text) <= set("0123456789abcdef")
        parts.append(f"{name}={text[:8]}…" if shortened else f"{name}={text}")
    return " ".join(parts)


def _word(value: str | int | bool | None) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "-"
        case _:
            return str(value)
