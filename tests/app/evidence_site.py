"""A store with calls as evidence needs them: a notice whose sound is known, recordings, a key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner, Result

from app.serving import write_config
from asterisk_compliance.age import new_identity
from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.ids import CallId, NodeName, call_id, recording_id, spool_name
from asterisk_compliance.storage.content_store import ContentStore
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.recordings.assembly import measure_and_join, wav_header
from asterisk_compliance.storage.recordings.vault import open_vault

IDENTITY, RECIPIENT = new_identity()
BEGAN_MS = 1_795_507_200_000
RATE = 8_000
PURPOSES = ("SERVICE", "QUALITY")


def noise(seed: int, seconds: float, loud: float = 4_000) -> np.ndarray:
    """Something like a voice: no two pieces of it are alike."""
    chance = np.random.default_rng(seed)
    steps = np.repeat(chance.uniform(0.2, 1.0, int(seconds * 20) + 1), RATE // 20)
    count = int(seconds * RATE)
    return (chance.normal(0, loud, count) * steps[:count]).clip(-32_768, 32_767).astype("<i2")


NOTICE = noise(1, 2.0)
NOTICE_WAV = wav_header(len(NOTICE), 1) + NOTICE.tobytes()
WORDS = "この通話は録音されます。<script>alert(1)</script>"
CALLER, AGENT = noise(2, 3.0), noise(3, 3.0)


class EvidenceSite:
    """Its calls are over; nobody serves them."""

    def __init__(self, home: Path, vault: str | None = None) -> None:
        self.home = home
        self.config = write_config(home, vault=vault or f'recipients = ["{RECIPIENT}"]')
        self.store, self.vault = home / "store", home / "recordings"
        self.key_file = home / "officer.key"
        self.key_file.write_text(IDENTITY + "\n")
        open_vault(self.vault)
        self.run("audit", "key", "new")
        content = ContentStore(self.store)
        text, audio = content.put(WORDS.encode()), content.put(NOTICE_WAV)
        self.told = {
            "notice": "standard/1/ja",
            "purposes": PURPOSES,
            "text_digest": text,
            "audio_digest": audio,
        }

    def run(self, *words: object) -> Result:
        return CliRunner().invoke(app, [*map(str, words), "-c", str(self.config)])

    def commit(self, *drafts: Draft) -> None:
        with StoreWriter.open(self.store) as store:
            store.commit(drafts)

    def recorded_call(
        self,
        number: int,
        *,
        caller: np.ndarray = CALLER,
        order: tuple[str, ...] = ("told", "allowed", "begun"),
        more: tuple[tuple[Kind, dict[str, Any]], ...] = (),
        told_by: str = "notice",
    ) -> CallId:
        """A call whose recording is in the vault. ``more``: rows while it lives."""
        call = call_id(BEGAN_MS + number, bytes(8))
        recording = recording_id(call, 1)
        for direction, sound in (("rx", caller), ("tx", AGENT)):
            data = wav_header(len(sound), 1) + sound.tobytes()
            (self.home / "spool" / spool_name(recording, direction)).write_bytes(data)
        measured = measure_and_join(
            self.home / "spool", recording, self.vault, Expected(None), (RECIPIENT,)
        )
        assert measured.sealed is not None
        said = {"notice": "standard/1/ja", "purposes": PURPOSES}
        steps = {
            "told": (Kind.NOTICE_COMPLETED, {**self.told, "length_ms": 2_000, "lasted_ms": 2_001}),
            "allowed": (
                Kind.DECISION,
                {"status": "ALLOWED", "reason": "NOTICE_COMPLETED", "told_by": told_by, **said},
            ),
            "begun": (
                Kind.RECORDING_REQUESTED,
                {"recording": recording, "capture": "bridged", "others": True},
            ),
        }
        closed = {"sha256": measured.joined_sha256, "length_ms": 3_000, "whole": True}
        sealed = {"sha256": measured.sealed.sha256, "bytes": measured.sealed.size_bytes}
        self.tell(
            call,
            (Kind.CALL_ARRIVED, {"policy": "inbound", "channel": f"1.{number}", "queue": ""}),
            (Kind.NOTICE_STARTED, {"notice": "standard/1/ja"}),
            *(steps[name] for name in order),
            (Kind.RECORDING_STARTED, {"recording": recording}),
            *more,
            (Kind.CALL_ENDED, {}),
            (Kind.RECORDING_CLOSED, {"recording": recording, **closed}),
            (Kind.RECORDING_SEALED, {"recording": recording, **sealed}),
        )
        return call

    def unrecorded_call(self, number: int) -> CallId:
        call = call_id(BEGAN_MS + number, bytes(8))
        self.tell(
            call,
            (Kind.CALL_ARRIVED, {"policy": "inbound", "channel": f"1.{number}", "queue": ""}),
            (Kind.NOTICE_STARTED, {"notice": "standard/1/ja"}),
            (Kind.NOTICE_INCOMPLETE, {"reason": "HANGUP_IN_NOTICE", "lasted_ms": 900}),
            (
                Kind.DECISION,
                {"status": "NOT_RECORDED", "reason": "HANGUP_IN_NOTICE", "purposes": ()},
            ),
            (Kind.CALL_ENDED, {}),
        )
        return call

    def tell(self, call: CallId, *facts: tuple[Kind, dict[str, Any]]) -> None:
        self.commit(
            *(
                Draft(kind, BEGAN_MS + 1_000 * step, NodeName("pbx1"), call, detail=detail)
                for step, (kind, detail) in enumerate(facts)
            )
        )

    def export(self, call: str, out: Path, *more: object, opened: bool = True) -> Result:
        words = [call, "--out", out, "--purpose", "QUALITY", "--reason", "CLAIM", *more]
        return self.run("evidence", "export", *words, *self.opening(opened))

    def opening(self, opened: bool) -> tuple[object, ...]:
        return ("--identity", self.key_file) if opened else ()

    @property
    def key(self) -> str:
        shown = self.run("audit", "key", "show", "--json")
        return str(json.loads(shown.stdout)["key"])

    def rows(self, kind: str) -> list[dict[str, Any]]:
        with StoreReader(self.store) as reader:
            rows = [json.loads(row.data) for row in reader.rows()]
        return [row for row in rows if row["kind"] == kind]
