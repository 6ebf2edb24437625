"""Who may use what: asked of the log, of the configuration and of the operating system."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from app.serving import write_config
from asterisk_compliance.app.access.permission import (
    LONGEST_REFERENCE,
    NoSuchPurpose,
    NoSuchUse,
    UseRefused,
    arguments_of,
    asker,
    judged,
    use_of,
)
from asterisk_compliance.app.access.release import NoSuchRecording, release
from asterisk_compliance.app.evidence.call_evidence import export
from asterisk_compliance.app.shared.control_socket import Handed
from asterisk_compliance.config.settings import Settings, load
from asterisk_compliance.domain.access.purpose_limitation import (
    BIOMETRICS,
    DRILL,
    OWN_CODES,
    RIGHTS,
    Action,
    Use,
    UseGround,
    UseReason,
    UseRefusal,
)
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId, NodeName, RecordingId, call_id, recording_id, request_id
from asterisk_compliance.shipped.catalogue import shipped_purposes
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.recordings.vault import open_vault, vault_path

BEGAN_MS = 1_764_000_000_000
ME = pwd.getpwuid(os.getuid()).pw_name
CODES = sorted(map(str, shipped_purposes()))
QUALITY = Use(Action.EXPORT, "QUALITY", UseReason.REVIEW)
Fact = tuple[Kind, dict[str, Any]]


class Site:
    """A store, and a vault with a file for each recording; nobody serves them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.vault = home / "recordings"
        self.settings = self.configured()
        open_vault(self.vault)
        self.store = StoreWriter.open(self.settings.audit.store)

    def configured(self, tables: str = "") -> Settings:
        self.settings = load(write_config(self.home, rules=tables), secrets=False)
        return self.settings

    def tell(self, call: CallId, *facts: Fact, node: str = "pbx1") -> None:
        there = NodeName(node)
        self.store.commit([Draft(kind, BEGAN_MS, there, call, detail=d) for kind, d in facts])

    def recorded(
        self, number: int, *told: str, more: tuple[Fact, ...] = (), node: str = "pbx1"
    ) -> RecordingId:
        """A call of which the caller heard that; ``more``: rows while it is recorded."""
        call = call_id(BEGAN_MS + number, bytes(8))
        recording = recording_id(call, 1)
        arrived = {"channel": f"{number}.1", "policy": "inbound", "queue": "support"}
        self.tell(
            call,
            (Kind.CALL_ARRIVED, arrived),
            (Kind.NOTICE_COMPLETED, {"purposes": told}),
            (Kind.RECORDING_REQUESTED, {"recording": recording, "others": True}),
            *more,
            (Kind.CALL_ENDED, {}),
            (Kind.RECORDING_CLOSED, {"recording": recording, "sha256": "ab" * 32, "tx": "heard"}),
            node=node,
        )
        vault_path(self.vault, recording, sealed=False).write_bytes(b"its audio")
        return recording

    def append(self, *drafts: Draft) -> Any:
        """As :class:`~asterisk_compliance.app.access.release.AuditAppender`."""
        done = asyncio.get_running_loop().create_future()
        done.set_result(self.store.commit(drafts)[-1].seq)
        return done

    def release(self, recording: str, use: Use, user: str = ME) -> None:
        """Hand it out, and close what is handed out."""
        asked = {"recording": recording, **arguments_of(use)}
        handed = asyncio.run(self._release(user, asked))
        with handed.file:
            assert handed.file.read() == b"its audio"

    async def _release(self, user: str, asked: dict[str, str]) -> Handed:
        return await release(self, self.settings, user, asked)

    def refuses(self, recording: str, use: Use, user: str = ME) -> str:
        with pytest.raises(UseRefused) as caught:
            self.release(recording, use, user)
        return str(caught.value).partition(":")[0]

    def rows(self, kind: Kind) -> list[Row]:
        with StoreReader(self.settings.audit.store) as reader:
            return [decode(row.data) for row in reader.rows(RowQuery(kind=kind))]

    def details(self, kind: Kind) -> list[dict[str, Any]]:
        """Without the commitment to who did it."""
        who = {"commit.user", "party", "role"}
        return [
            {name: value for name, value in row.detail.items() if name not in who}
            for row in self.rows(kind)
        ]

    def close(self) -> None:
        self.store.close()


@pytest.fixture
def site(tmp_path: Path) -> Any:
    site = Site(tmp_path)
    yield site
    site.close()


def use(purpose: str, action: Action = Action.EXPORT, **more: str) -> Use:
    return Use(action, purpose, more.pop("reason", UseReason.REVIEW), **more)


# -- what is asked for ---------------------------------------------------------------------------


def test_what_is_asked_for_travels_whole(site: Site) -> None:
    every = Use(
        Action.HAND_OVER, "DISPUTE", "ORDER", "JP_LAW", "裁判所 R8-123", "q-" + "0" * 28, "17"
    )
    assert all(getattr(every, field.name) for field in fields(Use))
    assert use_of(site.settings, arguments_of(every)) == every


@pytest.mark.parametrize(
    ("action", "purpose", "reason"),
    [
        (Action.ANSWER, RIGHTS, "REQUEST"),
        (Action.HEAR, RIGHTS, "REQUEST"),
        (Action.HAND_OVER, "DISPUTE", "PROVISION"),
        (Action.DRILL, DRILL, "DRILL"),
        (Action.PAST_CALLS, "SERVICE", "CALL"),
    ],
)
def test_some_actions_say_why_by_themselves(site, action, purpose, reason) -> None:
    assert use_of(site.settings, arguments_of(Use(action, purpose))).reason == reason
    other = Use(action, purpose, UseReason.ORDER)
    assert use_of(site.settings, arguments_of(other)).reason == "ORDER"


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": ""},
        {"action": "COPY"},
        {"purpose": ""},
        {"purpose": "because I want to"},
        {"reason": ""},
        {"reason": "QUALITY"},
        {"ground": "BECAUSE", "reference": "x"},
        {"ground": "JP_LAW"},
        {"reference": "R8-123"},
        {"ground": "JP_LAW", "reference": "x" * (LONGEST_REFERENCE + 1)},
        {"ground": "JP_LAW", "reference": "two\nlines"},
        {"request": "q-1"},
        {"provision": "first"},
        {"provision": "-1"},
        {"provision": "٣"},
        {"provision": "1" * 16},
        {"provision": "17"},
    ],
)
def test_what_is_no_use_is_refused_before_anything_is_looked_at(site: Site, wrong) -> None:
    with pytest.raises(NoSuchUse) as caught:
        use_of(site.settings, arguments_of(QUALITY) | wrong)
    assert caught.value.exit_code == 2
    recording = site.recorded(1, "QUALITY")
    asked = {"recording": recording, **arguments_of(QUALITY), **wrong}
    with pytest.raises(NoSuchUse):
        asyncio.run(site._release(ME, asked))
    assert not site.rows(Kind.RECORDING_RELEASED)
    assert not site.rows(Kind.USE_REFUSED), "it would say what somebody typed"


def test_the_hint_names_what_there_is(site: Site) -> None:
    with pytest.raises(NoSuchPurpose) as caught:
        use_of(site.settings, arguments_of(use("SELLING")))
    assert all(code in caught.value.hint for code in [*CODES, *OWN_CODES])


# -- what was told -------------------------------------------------------------------------------


def test_all_pairs_of_what_was_told_and_what_is_asked_for_are_rows(site: Site) -> None:
    """Each of the shipped purposes was told to one caller, and each is asked for of each."""
    recordings = {code: site.recorded(n, code) for n, code in enumerate(CODES)}
    plain = [code for code in CODES if code != RIGHTS]
    for told, purpose in product(CODES, plain):
        if told == purpose:
            site.release(recordings[told], use(purpose))
        else:
            assert site.refuses(recordings[told], use(purpose)) == UseRefusal.NOT_TOLD
    released = site.details(Kind.RECORDING_RELEASED)
    assert [(one["recording"], one["purpose"]) for one in released] == [
        (recordings[code], code) for code in plain
    ]
    assert all(one["told"] for one in released)
    refused = site.details(Kind.USE_REFUSED)
    assert len(refused) == len(CODES) * len(plain) - len(plain)
    assert {one["refusal"] for one in refused} == {"NOT_TOLD"}


def test_who_is_refused_learns_what_was_told_to_all(site: Site) -> None:
    recording = site.recorded(1, "QUALITY", "SERVICE")
    both = site.recorded(3, "QUALITY", "SERVICE", more=(joined("accepted"),))
    for one, hint in ((recording, "told was QUALITY, SERVICE;"), (both, "nothing was told to all")):
        with pytest.raises(UseRefused) as caught:
            site.release(one, use("TRAINING"))
        assert caught.value.hint.startswith(hint)
    site.configured(ROLES.format(user="tanaka", group="no-such-group"))
    with pytest.raises(UseRefused) as caught:
        site.release(recording, use("TRAINING"), "sato")
    assert "QUALITY" not in caught.value.hint, "it is not his to know"


def test_nobody_gets_a_recording_by_being_shown_past_calls(site: Site) -> None:
    recording = site.recorded(1, "SERVICE")
    assert site.refuses(recording, Use(Action.PAST_CALLS, "SERVICE")) == "PURPOSE_UNFIT"
    assert not site.rows(Kind.RECORDING_RELEASED)


def test_both_outcomes_say_who_what_for_and_why(site: Site) -> None:
    recording = site.recorded(1, "QUALITY")
    site.release(recording, use("QUALITY", Action.LISTEN))
    assert site.refuses(recording, use("TRAINING", Action.TRANSCRIBE)) == "NOT_TOLD"
    (row,) = site.rows(Kind.USE_REFUSED)
    assert row.actor == row.detail["party"]
    assert (row.call, row.detail["role"]) == ("c-" + recording[2:30], "staff")
    assert "commit.user" in row.detail
    assert site.details(Kind.USE_REFUSED) == [
        {
            "action": "TRANSCRIBE",
            "ground": "",
            "purpose": "TRAINING",
            "reason": "REVIEW",
            "recording": recording,
            "refusal": "NOT_TOLD",
            "request": "",
        }
    ]
    (released,) = site.details(Kind.RECORDING_RELEASED)
    assert (released["action"], released["purpose"]) == ("LISTEN", "QUALITY")
    assert (released["reason"], released["ground"], released["told"]) == ("REVIEW", "", True)


def test_a_ground_permits_it_and_its_reference_stands_in_no_row(site: Site) -> None:
    recording = site.recorded(1, "QUALITY")
    lawful = use("FRAUD", ground="JP_LAW", reference="令状 山田 R8-123", reason="ORDER")
    site.release(recording, lawful)
    (row,) = site.rows(Kind.RECORDING_RELEASED)
    assert (row.detail["ground"], row.detail["told"]) == ("JP_LAW", False)
    assert len(str(row.detail["commit.reference"])) == 64
    with StoreReader(site.settings.audit.store) as reader:
        text = b"".join(one.data for one in reader.rows()).decode()
        kept = reader.connection.execute(
            "SELECT value FROM party_values WHERE field = 'reference'"
        ).fetchall()
    assert "山田" not in text
    assert kept == [("令状 山田 R8-123",)]


def test_without_the_row_nothing_is_handed_out_nor_refused_in_silence(site: Site) -> None:
    recording = site.recorded(1, "QUALITY")

    class Full:
        def append(self, *_: Draft) -> Any:
            raise StoreUnavailable("no row can be made durable")

    for one in (QUALITY, use("TRAINING")):
        asked = {"recording": recording, **arguments_of(one)}
        with pytest.raises(StoreUnavailable):
            asyncio.run(release(Full(), site.settings, ME, asked))


# -- who else can be heard -----------------------------------------------------------------------


def joined(cover: str) -> Fact:
    return Kind.PARTY_JOINED, {"channel": "9.1", "cover": cover, "party": "y-1"}


def callee(site: Site, number: int, *told: str, node: str = "pbx1") -> CallId:
    """A call of his own of somebody who was told on his own leg."""
    call = call_id(BEGAN_MS + number, bytes(8))
    arrived = {"channel": "9.1", "policy": "inbound", "leg": "callee", "queue": ""}
    heard = (Kind.NOTICE_COMPLETED, {"purposes": told})
    site.tell(call, (Kind.CALL_ARRIVED, arrived), heard, node=node)
    return call


def test_who_was_told_on_his_own_leg_binds_it_too(site: Site) -> None:
    callee(site, 1, "SERVICE")
    recording = site.recorded(2, "QUALITY", "SERVICE", more=(joined("told"),))
    site.release(recording, use("SERVICE"))
    assert site.refuses(recording, QUALITY) == "NOT_TOLD"


def test_of_another_asterisk_the_same_channel_is_somebody_else(site: Site) -> None:
    callee(site, 1, "QUALITY", node="pbx2")
    here = site.recorded(2, "QUALITY", more=(joined("told"),))
    there = site.recorded(3, "QUALITY", more=(joined("told"),), node="pbx2")
    assert site.refuses(here, QUALITY) == "NOT_TOLD"
    site.release(there, QUALITY)


def test_what_he_was_told_after_he_was_recorded_does_not_count(site: Site) -> None:
    recording = site.recorded(2, "QUALITY", more=(joined("told"),))
    callee(site, 3, "QUALITY")
    assert site.refuses(recording, QUALITY) == "NOT_TOLD"


def test_who_heard_a_whisper_was_told_by_it(site: Site) -> None:
    whisper = (Kind.PARTY_TOLD, {"channel": "9.1", "purposes": ("QUALITY",)})
    recording = site.recorded(1, "QUALITY", "SERVICE", more=(joined("unknown"), whisper))
    site.release(recording, QUALITY)
    assert site.refuses(recording, use("SERVICE")) == "NOT_TOLD"


def test_whom_a_policy_took_in_untold_was_told_nothing_unless_the_site_says_otherwise(
    site: Site,
) -> None:
    recording = site.recorded(1, "QUALITY", more=(joined("accepted"),))
    assert site.refuses(recording, QUALITY) == "NOT_TOLD"
    site.configured('[use]\naccepted = "covered"')
    site.release(recording, QUALITY)
    assert site.refuses(recording, use("TRAINING")) == "NOT_TOLD", "the caller still counts"


# -- what stands against it ------------------------------------------------------------------------


def withdrawn(earlier: str) -> Fact:
    return Kind.CONSENT, {"state": "withdrawn", "earlier": earlier}


def stopped(*codes: str) -> Fact:
    return Kind.USE_STOPPED, {"request": "q-" + "0" * 28, "purposes": codes}


def resumed(*codes: str) -> Fact:
    return Kind.USE_RESUMED, {"request": "q-" + "0" * 28, "purposes": codes}


def of(recording: str) -> CallId:
    return CallId("c-" + recording[2:30])


@pytest.mark.parametrize(("earlier", "outcome"), [("hold", "WITHDRAWN"), ("delete", "WITHDRAWN")])
def test_who_withdrew_is_not_used_where_his_policy_says_so(site: Site, earlier, outcome) -> None:
    recording = site.recorded(1, "QUALITY", more=(withdrawn(earlier),))
    assert site.refuses(recording, QUALITY) == outcome
    consent = use("QUALITY", ground="JP_CONSENT", reference="form 7")
    assert site.refuses(recording, consent) == outcome
    site.release(recording, use("QUALITY", ground="JP_LAW", reference="warrant 7"))
    kept = site.recorded(2, "QUALITY", more=(withdrawn("keep"),))
    site.release(kept, QUALITY)


def test_a_stop_is_obeyed_until_it_is_taken_back(site: Site) -> None:
    recording = site.recorded(1, "QUALITY", "SERVICE")
    site.release(recording, QUALITY)
    site.tell(of(recording), stopped("QUALITY"))
    assert site.refuses(recording, QUALITY) == "STOPPED"
    site.release(recording, use("SERVICE"))
    site.tell(of(recording), resumed())
    site.release(recording, QUALITY)


def test_the_stop_and_the_withdrawal_of_who_can_be_heard_hold_wherever_he_is(site: Site) -> None:
    """He was told in a call of his own, and his voice is in another's recording."""
    his = callee(site, 1, "QUALITY")
    recording = site.recorded(2, "QUALITY", more=(joined("told"),))
    site.release(recording, QUALITY)
    site.tell(his, stopped())
    assert site.refuses(recording, QUALITY) == "STOPPED"
    site.tell(his, resumed(), withdrawn("hold"))
    assert site.refuses(recording, QUALITY) == "WITHDRAWN"


# -- requests and provisions -----------------------------------------------------------------------

REQUEST = request_id(BEGAN_MS, bytes(8))


def opened(right: str = "COPY") -> Fact:
    said = {
        "request": REQUEST,
        "right": right,
        "regime": "JP",
        "by": "PERSON",
        "requester": "y-" + "0" * 28 + "-1",
        "received_at": "2026-11-24T08:00:00.000Z",
        "due_at": "2026-12-08T08:00:00.000Z",
        "basis": "PROMISE",
        "legal_at": "",
        "fee": "",
    }
    return Kind.REQUEST_OPENED, said


def decided(verdict: str = "GRANTED", *excepted: str) -> Fact:
    said = {"verdict": verdict, "reason": "LAW", "ground": "", "cause": "", "purposes": ()}
    more = {"request": REQUEST, "excepted": excepted, "matters": ()}
    return Kind.REQUEST_DECIDED, {**said, **more}


ABOUT: Fact = (Kind.REQUEST_CALL, {"request": REQUEST})


@pytest.mark.parametrize("action", [Action.ANSWER, Action.HEAR])
def test_an_answer_needs_a_request_that_is_granted_and_about_this_call(site: Site, action) -> None:
    recording, other = site.recorded(1, "QUALITY"), site.recorded(2, "QUALITY")
    answer = Use(action, RIGHTS, request=REQUEST)
    assert site.refuses(recording, Use(action, RIGHTS)) == "NO_REQUEST"
    assert site.refuses(recording, answer) == "NO_REQUEST"
    site.tell(of(recording), opened(), ABOUT)
    assert site.refuses(recording, answer) == "NO_REQUEST", "nobody has decided"
    site.tell(of(recording), decided())
    site.release(recording, answer)
    (released,) = site.details(Kind.RECORDING_RELEASED)
    assert (released["request"], released["reason"]) == (REQUEST, "REQUEST")
    assert site.refuses(other, answer) == "NO_REQUEST", "it is about another call"
    site.tell(of(recording), (Kind.REQUEST_WITHDRAWN, {"request": REQUEST}))
    assert site.refuses(recording, answer) == "NO_REQUEST"


@pytest.mark.parametrize(
    "facts",
    [
        (opened("STOP_USE"), ABOUT, decided()),
        (opened(), ABOUT, decided("REFUSED")),
        (opened(), ABOUT, decided("IN_PART", "c-" + f"{BEGAN_MS + 1:012x}" + "0" * 16)),
    ],
)
def test_what_was_not_granted_is_no_answer(site: Site, facts: tuple[Fact, ...]) -> None:
    recording = site.recorded(1, "QUALITY")
    site.tell(of(recording), *facts)
    assert site.refuses(recording, Use(Action.ANSWER, RIGHTS, request=REQUEST)) == "NO_REQUEST"


def test_a_granted_request_is_for_nobody_s_own_use(site: Site) -> None:
    recording = site.recorded(1, "QUALITY", RIGHTS)
    site.tell(of(recording), opened(), ABOUT, decided())
    for action in (Action.LISTEN, Action.EXPORT, Action.EVIDENCE):
        mine = Use(action, RIGHTS, UseReason.REQUEST, request=REQUEST)
        assert site.refuses(recording, mine) == "PURPOSE_UNFIT"
    other = Use(Action.ANSWER, "QUALITY", request=REQUEST)
    assert site.refuses(recording, other) == "PURPOSE_UNFIT"


def provided(*items: str) -> Fact:
    said = {
        "abroad": "",
        "country": "JP",
        "day": "2026-11-24",
        "ground": "LAW",
        "items": items,
        "keep_until": "2029-11-24",
        "made": "2026-11-24",
        "needs_record": False,
        "recipient": "y-" + "0" * 28 + "-1",
    }
    return Kind.PROVISION_RECORDED, said


def test_what_is_handed_over_needs_the_record_that_names_this_recording(site: Site) -> None:
    recording, other = site.recorded(1, "DISPUTE"), site.recorded(2, "DISPUTE")
    site.tell(of(recording), provided("CALL_DATA"), provided("RECORDING"))
    data, audio = (str(row.seq) for row in site.rows(Kind.PROVISION_RECORDED))

    def over(number: str, purpose: str = "DISPUTE") -> Use:
        return Use(Action.HAND_OVER, purpose, provision=number)

    for number in ("", data, "999"):
        assert site.refuses(recording, over(number)) == "NO_PROVISION"
    assert site.refuses(other, over(audio)) == "NO_PROVISION"
    assert site.refuses(recording, over(audio, "QUALITY")) == "NOT_TOLD"
    site.release(recording, over(audio))
    (released,) = site.details(Kind.RECORDING_RELEASED)
    assert released["provision"] == int(audio)


# -- biometrics, and the drill ---------------------------------------------------------------------


def test_biometrics_are_off_and_then_need_the_person_s_own_consent(site: Site) -> None:
    recording = site.recorded(1, *CODES)
    match = use(BIOMETRICS, ground="JP_CONSENT", reference="form 7", reason="INVESTIGATION")
    assert site.refuses(recording, match) == "BIOMETRICS_OFF"
    site.configured('[use]\nbiometrics = "own-consent"')
    assert site.refuses(recording, use(BIOMETRICS)) == "GROUND_UNFIT"
    for ground in UseGround:
        wanted = use(BIOMETRICS, ground=ground, reference="R8-123")
        if ground in {UseGround.JP_CONSENT, UseGround.GDPR_EXPLICIT_CONSENT}:
            site.release(recording, wanted)
        else:
            assert site.refuses(recording, wanted) == "GROUND_UNFIT"


def test_nobody_gets_by_a_drill_what_no_key_locks(site: Site) -> None:
    recording = site.recorded(1, "QUALITY")
    with pytest.raises(NoSuchRecording, match="not sealed"):
        site.release(recording, Use(Action.DRILL, DRILL))
    assert site.refuses(recording, use(DRILL)) == "PURPOSE_UNFIT"
    assert not site.rows(Kind.RECORDING_RELEASED)


# -- roles -----------------------------------------------------------------------------------------

ROLES = """
[[role]]
name = "supervisors"
users = ["{user}"]
groups = ["{group}"]
purposes = ["QUALITY"]
actions = ["LISTEN", "EVIDENCE"]
queues = ["support"]
"""


def test_with_roles_only_what_one_of_them_permits(site: Site) -> None:
    recording = site.recorded(1, "QUALITY", "SERVICE")
    site.configured(ROLES.format(user="tanaka", group="no-such-group"))
    listen = use("QUALITY", Action.LISTEN)
    site.release(recording, listen, "tanaka")
    (released,) = site.details(Kind.RECORDING_RELEASED)
    assert released["allowed_by"] == "supervisors"
    assert site.refuses(recording, listen, "sato") == "NOT_IN_ROLE"
    assert site.refuses(recording, QUALITY, "tanaka") == "NOT_IN_ROLE"
    assert site.refuses(recording, use("SERVICE", Action.LISTEN), "tanaka") == "NOT_IN_ROLE"
    assert site.refuses(recording, use("TRAINING", Action.LISTEN), "tanaka") == "NOT_IN_ROLE"
    without = recording_id(call_id(BEGAN_MS + 9, bytes(8)), 1)
    site.tell(
        of(without),
        (Kind.CALL_ARRIVED, {"channel": "7.1", "queue": ""}),
        (Kind.NOTICE_COMPLETED, {"purposes": ("QUALITY",)}),
        (Kind.RECORDING_REQUESTED, {"recording": without, "others": True}),
        (Kind.RECORDING_CLOSED, {"recording": without, "sha256": "ab" * 32}),
    )
    assert site.refuses(without, listen, "tanaka") == "NOT_IN_ROLE", "no call of that queue"


def test_nobody_gains_a_role_by_what_he_says_of_himself(site: Site) -> None:
    recording = site.recorded(1, "QUALITY")
    site.configured(ROLES.format(user="tanaka", group="no-such-group"))
    claims = {"user": "tanaka", "role": "supervisors", "group": "quality", "allowed_by": "x"}
    asked = {"recording": recording, **arguments_of(use("QUALITY", Action.LISTEN)), **claims}
    with pytest.raises(UseRefused, match="NOT_IN_ROLE"):
        asyncio.run(site._release("sato", asked))


def test_a_role_is_for_the_groups_of_the_operating_system(site: Site) -> None:
    recording = site.recorded(1, "QUALITY")
    mine = grp.getgrgid(os.getgid()).gr_name
    assert mine in asker(ME).groups
    site.configured(ROLES.format(user="nobody-at-all", group=mine))
    site.release(recording, use("QUALITY", Action.LISTEN), ME)
    assert site.refuses(recording, use("QUALITY", Action.LISTEN), "no-such-user") == "NOT_IN_ROLE"


def test_who_has_no_account_has_no_groups() -> None:
    assert asker("12345678").groups == frozenset()


def test_a_group_without_a_name_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getgrouplist", lambda *_: [os.getgid(), 4_000_000_000])
    assert asker(ME).groups == {grp.getgrgid(os.getgid()).gr_name}


# -- bundles ---------------------------------------------------------------------------------------


def exported(site: Site, recording: str, user: str = ME, **more: str) -> Any:
    asked = arguments_of(use("QUALITY", Action.EVIDENCE)) | {
        "call": of(recording),
        "manifest": "ab" * 32,
        **more,
    }

    async def ask() -> Any:
        return await export(site, site.settings, user, asked)

    return asyncio.run(ask())


def test_the_row_of_a_bundle_says_why_and_by_which_role(site: Site) -> None:
    recording = site.recorded(1, "QUALITY")
    site.configured(ROLES.format(user="tanaka", group="no-such-group"))
    exported(site, recording, "tanaka")
    assert site.details(Kind.EVIDENCE_EXPORTED) == [
        {
            "allowed_by": "supervisors",
            "ground": "",
            "manifest": "ab" * 32,
            "purpose": "QUALITY",
            "reason": "REVIEW",
        }
    ]
    with pytest.raises(UseRefused, match="NOT_IN_ROLE"):
        exported(site, recording, "sato")
    (refused,) = site.details(Kind.USE_REFUSED)
    assert (refused["action"], refused["recording"]) == ("EVIDENCE", "")


def test_a_bundle_is_a_bundle_whatever_else_is_said(site: Site) -> None:
    recording = site.recorded(1, "QUALITY")
    with pytest.raises(UseRefused, match="PURPOSE_UNFIT"):
        exported(site, recording, action="DRILL", purpose=DRILL)


def test_of_a_stopped_call_there_is_no_bundle_but_for_a_claim(site: Site) -> None:
    recording = site.recorded(1, "QUALITY")
    site.tell(of(recording), stopped())
    with pytest.raises(UseRefused, match="STOPPED"):
        exported(site, recording)
    exported(site, recording, ground="GDPR_LEGAL_CLAIMS", reference="case 7", reason="CLAIM")
    (row,) = site.rows(Kind.EVIDENCE_EXPORTED)
    assert row.detail["ground"] == "GDPR_LEGAL_CLAIMS"
    assert "commit.reference" in row.detail


def test_what_was_told_is_not_asked_where_nobody_s_voice_is_in_it(site: Site) -> None:
    recording = site.recorded(1, "SERVICE", more=(withdrawn("delete"),))
    exported(site, recording)
    assert judged(site.settings, ME, QUALITY, of(recording), None).refusal is None
    found = judged(site.settings, ME, QUALITY, of(recording), recording)
    assert (found.refusal, found.told) == (UseRefusal.WITHDRAWN, False)
