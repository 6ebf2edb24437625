"""Checks a bundle of evidence about one telephone call, and says in words what it found.

    python verify.py [BUNDLE] [--key KEY]

BUNDLE is the archive, or the directory where it was unpacked; that of this program, if not given.
KEY is the log's public key (NAME+ID+KEY), a file that holds it, or its fingerprint. It must come from elsewhere
than the bundle: from the page on which the site publishes it. Needs Python 3.9 and `cryptography`, nothing else.
Exit status: 0 what can be checked holds, 1 something does not, 2 it was called wrongly.
"""
from __future__ import annotations

import argparse, base64, hashlib, json, os, struct, sys, zipfile, zlib
from pathlib import Path
from typing import Any, Callable, Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "asterisk-compliance evidence 1"
UNLISTED = {"checkpoint.txt", "exported.jsonl", "manifest.json", "proofs.json"}  # each proves itself
NEVER = """that a row was true when it was written, or that nothing was left out of the log or of the bundle
that the clock of the service was right: times are what it said
that a person listened, or who it was; what can be heard in an audio file (report.html says what the export found)
that whoever holds the log's key did not write another log with it: an earlier checkpoint shows that"""


def archive(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The one archive of these files, piece by piece: nothing compressed, sorted, of 1 January 1980."""
    at, directory = 0, b""
    for name, data in sorted(files.items()):
        same = struct.pack("<5H3L2H", 20, 0, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(name), 0)
        yield name, b"PK\3\4" + same + name.encode()
        yield name, data
        directory += b"PK\1\2\x14\3" + same + struct.pack("<3H2L", 0, 0, 0, 0o100644 << 16, at) + name.encode()
        at += 30 + len(name) + len(data)
    yield "its end", directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(files), len(files), len(directory), at, 0)


def read_bundle(path: str) -> dict[str, bytes]:
    """The files of a directory, or of an archive that is byte for byte what `archive` makes of them."""
    if os.path.isdir(path):
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in Path(path).rglob("*") if not file.is_dir()}
    with zipfile.ZipFile(path) as packed, open(path, "rb") as file:
        if any(info.compress_type or info.file_size > os.path.getsize(path) for info in packed.infolist()):
            raise ValueError("is not as it was written: compressed")
        files = {info.filename: packed.read(info) for info in packed.infolist()}
        for where, piece in archive(files):
            if file.read(len(piece)) != piece or (where == "its end" and file.read(1)):
                raise ValueError("is not as it was written: at %s" % where)
    return files


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("holds base64 that is not written as it should be")
    return data


def read_rows(data: bytes) -> list[Any]:
    """Rows as the log writes them, one a line, in the order of their numbers."""
    rows: list[Any] = []
    for line in data.split(b"\n")[:-1]:
        row, members = json.loads(line), "actor at call detail kind log node nonce seq".split()
        if canonical(row) != line or sorted(row) != members or (rows and row["seq"] <= rows[-1]["seq"]):
            raise ValueError("line %d is not a row as the log writes it, or not in its place" % (len(rows) + 1))
        rows.append(row)
    if not rows or not data.endswith(b"\n"):
        raise ValueError("has no rows, or its last one is cut off")
    return rows


class Key:
    """A log's public key, Ed25519, written NAME+ID+KEY (C2SP signed-note)."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.name, number, data = self.text.split("+", 2)
        self.public = unbase64(data)[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n\1" + self.public).digest()[:4]
        self.fingerprint = sha256(self.public)
        if len(self.public) != 32 or unbase64(data)[0] != 1 or self.id.hex() != number:
            raise ValueError("is no public key of a log")

    def signed(self, text: str, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


def read_keys(rows: list[Any], given: str | None) -> list[Key]:
    """All keys that the log names, in order; the last is the given one, or one that it vouches for."""
    keys, trusted = list[Key](), given is None
    wanted = given and (Key(given).fingerprint if "+" in given else given.strip().lower().replace(":", ""))
    for row in rows:
        detail, key = row["detail"], Key(row["detail"]["key"])
        if row["kind"] == "signing_key_rotated":
            text = "signing key rotation v1 (asterisk-compliance)\n%s\n%s\n%s\n" % (key.name, detail["earlier"], key.text)
            if keys[-1].text != detail["earlier"] or not keys[-1].signed(text, unbase64(detail["signature"])):
                raise ValueError("row %d: the key before has not signed that it hands over" % row["seq"])
        else:
            trusted = given is None  # for this key no earlier one vouches
        keys.append(key)
        trusted = trusted or wanted == key.fingerprint
    if not trusted:
        raise ValueError("the key that was given does not vouch for the key of this log: its origin is another")
    return keys


def read_checkpoint(note: str, keys: list[Key]) -> tuple[str, int, bytes]:
    """Origin, number of rows and root; all signatures are by keys of the log, and one by its last."""
    text, _, below = note.rpartition("\n\n")
    origin, size, root = text.split("\n")
    known, signers = {(key.name, key.id): key for key in keys}, []
    for line in below.split("\n")[:-1]:
        dash, name, data = line.split(" ")
        key = known.get((name, unbase64(data)[:4]))
        if dash != "\u2014" or key is None or not key.signed(text + "\n", unbase64(data)[4:]):
            raise ValueError("a signature is not by a key of this log, or not of this text")
        signers.append(key)
    if not below.endswith("\n") or keys[-1] not in signers or keys[-1].name != origin:
        raise ValueError("is not signed by the last key of the log, or is of another log")
    return origin, int(size), unbase64(root)


def included(row: Any, path: list[bytes], size: int, root: bytes) -> bool:
    """Whether the row stands in the tree at its place: RFC 9162, 2.1.3.2."""
    here, last, node = row["seq"], size - 1, hashlib.sha256(b"\0" + canonical(row)).digest()
    for step in path:
        if last == 0:
            return False
        if here & 1 or here == last:
            node = hashlib.sha256(b"\1" + step + node).digest()
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + step).digest()
        here, last = here >> 1, last >> 1
    return bool(0 <= row["seq"] < size and last == 0 and node == root)


class Check:
    """What was checked and holds, what is wrong (where, and what), and what nothing here can show."""

    def __init__(self, path: str, key: str | None = None) -> None:
        self.key, self.origin, self.fingerprint, self.call = key, "", "", ""
        self.checked: list[str] = []
        self.wrong: list[tuple[str, str]] = []
        self.not_shown = [] if key else ["whose log this is: give its key, from where the site publishes it (--key)"]
        self.files: dict[str, bytes] = self._try("the archive", read_bundle, path) or {}
        if self.files:
            self._check_all()
        self.not_shown += NEVER.split("\n")
        self.verdict = "NOT VERIFIED" if self.wrong else "VERIFIED" if key else "CONSISTENT, origin not proven"

    def _try(self, where: str, step: Callable[..., Any], *values: Any) -> Any:
        try:
            return step(*values)
        except Exception as error:  # whatever it is: the bundle is not as it was written
            self.wrong.append((where, str(error) if type(error) is ValueError else "cannot be read: %r" % error))
            return None

    def _need(self, holds: Any, where: str, what: str) -> None:
        self.wrong += [] if holds else [(where, what)]

    def _check_all(self) -> None:
        names = ("rows.jsonl", "keys.jsonl", "exported.jsonl")
        rows, named, exported = (self._try(name, lambda name: read_rows(self.files[name]), name) or [] for name in names)
        manifest = self._try("manifest.json", self._check_manifest, exported)
        keys = self._try("keys.jsonl", read_keys, named, self.key)
        point = keys and self._try("checkpoint.txt", lambda: read_checkpoint(self.files["checkpoint.txt"].decode(), keys))
        if point:
            self._try("proofs.json", self._check_proofs, dict(zip(names, (rows, named, exported))), keys[-1], *point)
        if manifest and rows and exported:
            for step in (self._check_call, self._check_order, self._check_others, self._check_audio):
                self._try("rows.jsonl", step, rows, manifest, exported[0])

    def _check_manifest(self, exported: list[Any]) -> Any:
        manifest, there = json.loads(self.files["manifest.json"]), set(self.files)
        listed = {file["path"]: file["sha256"] for file in manifest["files"]}
        for name in sorted(there | set(listed) | UNLISTED):
            self._need(name in there, name, "is missing")
            self._need(name in UNLISTED or name in listed, name, "does not belong to the bundle")
            same = not (name in there and name in listed) or sha256(self.files[name]) == listed[name]
            self._need(same, name, "was changed: it has not the SHA-256 that the manifest says")
        named = [("evidence_exported", sha256(self.files["manifest.json"]))]
        same = manifest["format"] == FORMAT and named == [(row["kind"], row["detail"]["manifest"]) for row in exported]
        self._need(same, "manifest.json", "was changed: it has not the SHA-256 that exported.jsonl says, or another format")
        self.checked.append("%d files are those of the manifest, and the manifest is that of the export's row" % len(listed))
        return manifest

    def _check_proofs(self, files: dict[str, list[Any]], key: Key, origin: str, size: int, root: bytes) -> None:
        said, self.origin, self.fingerprint = json.loads(self.files["proofs.json"]), origin, key.fingerprint
        paths = {int(seq): list(map(unbase64, path)) for seq, path in said.items()}
        for name, rows in files.items():
            bad = [row["seq"] for row in rows if not included(row, paths.pop(row["seq"], []), size, root)]
            self._need(not bad, name + " or proofs.json", "do not stand in the signed log as they stand here: rows %s" % bad)
        self._need(canonical(said) + b"\n" == self.files["proofs.json"] and not paths, "proofs.json", "holds something else as well")
        self.checked.append("all rows stand in the log %s; its %d rows are signed by key %s" % (origin, size, key.fingerprint))

    def _check_call(self, rows: list[Any], manifest: Any, exported: Any) -> None:
        self.call, own = manifest["call"], [*rows, exported]
        log = self.origin.rpartition("/")[2] or exported["log"]
        same = {(row["call"], row["log"]) for row in own} == {(self.call, log)} and rows[-1]["seq"] < exported["seq"]
        self._need(same, "rows.jsonl", "has rows of another call or log, or later ones")
        said = (len(rows), self.call, exported["detail"]["purpose"], exported["at"], exported["seq"])
        self.checked.append("%d rows of call %s, exported for the purpose %s at %s (row %d)" % said)

    def _check_order(self, rows: list[Any], *_: Any) -> None:
        told, heard, allowed, begun = dict[str, Any](), set[str](), False, set[str]()
        for row in rows:
            kind, detail, said = row["kind"], row["detail"], "row %d" % row["seq"]
            told = row if kind == "notice_completed" else told
            heard = set(detail["purposes"]) if kind in ("notice_completed", "recording_adopted") else heard
            if kind == "decision":
                allowed, how = detail["status"] == "ALLOWED", ", purposes told by publication" * (detail.get("told_by") == "publication")
                self.checked.append("decision: %s, %s%s (%s, %s)" % (detail["status"], detail["reason"], how, said, row["at"]))
                self._need(not told or {*detail["purposes"]} <= heard, "rows.jsonl", "PURPOSE: %s decides for what was not told" % said)
            elif kind == "recording_released" and detail["purpose"] not in ("DRILL", "RIGHTS", *heard):
                self._need(detail.get("ground"), "rows.jsonl", "PURPOSE: %s hands out for what was not told" % said)
            elif kind == "recording_adopted":
                self.not_shown.append("that a notice was heard before %s: the dialplan recorded it alone" % detail["recording"])
            elif kind == "recording_requested":
                good = told and allowed and told["at"] <= row["at"]
                self._need(good, "rows.jsonl", "ORDER: %s begins a recording, and no notice was completed before it" % said)
                if good:
                    text = "caller: heard notice %s, for %s, to its end at %s (row %d); only then, at %s (%s), could %s begin"
                    notice = (told["detail"]["notice"], ", ".join(told["detail"]["purposes"]), told["at"], told["seq"])
                    self.checked.append(text % (*notice, row["at"], said, detail["recording"]) + ": no sample is older")
            begun |= {detail["recording"]} if kind in ("recording_requested", "recording_adopted") else set()
            known = not kind.startswith("recording_") or detail["recording"] in begun
            self._need(known, "rows.jsonl", "ORDER: %s is about a recording that was not let begin before it" % said)

    def _check_others(self, rows: list[Any], *_: Any) -> None:
        told = [row for row in rows if row["kind"] == "party_told"]
        opened = [row for row in rows if row["detail"].get("others") is True or row["detail"].get("mute") == "none"]
        for joined in (row for row in rows if row["kind"] == "party_joined"):
            who, cover, seq = joined["detail"]["party"], joined["detail"]["cover"], joined["seq"]
            heard = [row for row in told if row["detail"]["channel"] == joined["detail"]["channel"] and row["seq"] > seq]
            if cover not in ("unknown", "refused") or not heard:
                self.not_shown.append("that %s heard a notice: it joined as %r (row %d), as the site says" % (who, cover, seq))
                continue
            early = [row["seq"] for row in opened if seq < row["seq"] < heard[0]["seq"]]
            self._need(not early, "rows.jsonl", "ORDER: %s was let be recorded before it was told: rows %s" % (who, early))
            after = [row["at"] for row in opened if row["seq"] > heard[0]["seq"]] or ["never"]
            said = (who, heard[0]["detail"]["notice"], heard[0]["at"], heard[0]["seq"], after[0])
            self.checked.append("%s: heard notice %s to its end at %s (row %d); only then kept, from %s" % said)

    def _check_audio(self, rows: list[Any], manifest: Any, _: Any) -> None:
        absent = {one["path"]: one["why"] for one in manifest["absent"]}
        wanted = {path: ("", rows[-1]["seq"]) for path in absent}  # path: SHA-256, and which row says it
        for row in rows:
            detail, recording = row["detail"], "recording/%s.wav" % row["detail"].get("recording")
            for member, end in (("text_digest", ".txt"), ("audio_digest", ".wav")):
                if detail.get(member):
                    wanted["notice/" + detail[member] + end] = (detail[member], row["seq"])
            if row["kind"] in ("recording_closed", "recording_sealed"):
                wanted[recording + (".age" if row["kind"] == "recording_sealed" else "")] = (detail["sha256"], row["seq"])
        for path, (digest, seq) in sorted(wanted.items()):
            if path in self.files:
                self._need(sha256(self.files[path]) == digest, path, "is not what row %d says" % seq)
                self.checked.append("%s is what row %d says" % (path, seq))
            else:
                self._need(path in absent, path, "is missing, and the manifest does not say why")
                self.not_shown.append("what %s was (row %d): it is not here, since %s" % (path, seq, absent.get(path)))
        self.wrong += [(name, "is of no row") for name in self.files if "/" in name and name not in wanted]


def told_of(check: Check) -> Iterator[str]:
    """What is printed, line by line; nothing that a bundle holds can steer a terminal."""
    wrong, last = ["%s: %s" % one for one in check.wrong], ("VERDICT", [check.verdict])
    for title, texts in (("checked", check.checked), ("WRONG", wrong), ("not shown", check.not_shown), last):
        yield from ("%-10s %s" % (title, "".join(c if c.isprintable() else "?" for c in text)) for text in texts)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("bundle", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--key", help="the log's public key, a file that holds it, or its fingerprint")
    bundle, key = vars(parser.parse_args()).values()
    if not os.path.exists(bundle):
        parser.error("there is no %s" % bundle)
    check = Check(bundle, Path(key).read_text() if key and os.path.isfile(key) else key)
    print("\n".join(told_of(check)))
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
