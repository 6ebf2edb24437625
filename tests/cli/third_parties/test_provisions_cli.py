"""Records of provision through the command line, with the service running and without it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.serving import Serving, write_config
from asterisk_compliance.app.retention.person_expiry import due_persons
from asterisk_compliance.cli.main import app
from asterisk_compliance.config.settings import load
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.ids import recording_id
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from asterisk_compliance.storage.queries.persons import party
from sample_rows import AT_MS, a_call, a_recorded_call, draft

ONE, TWO = a_call(1), a_call(2)
APP = "asterisk_compliance.app"
YEAR_MS = 366 * 86_400_000
COURT = "東京地方裁判所"
ADDRESS = "東京都千代田区霞が関1-1-4"
WHOLE = (
    *("--recipient", COURT, "--address", ADDRESS, "--representative", "所長 山本"),
    *("--country", "JP", "--ground", "CONSENT", "--reference", "同意書 第12号 090-1111-2222"),
    *("--items", "RECORDING,NUMBER"),
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    config = write_config(tmp_path, rules='[rules]\nhome = "JP"\ntime_zone = "Asia/Tokyo"')
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit(a_recorded_call(ONE))
        writer.commit(a_recorded_call(TWO, AT_MS + 86_400_000))
    return config


def run(config: Path, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["provisions", *args, "--config", str(config)])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def refused(config: Path, *args: str) -> str:
    result = CliRunner().invoke(app, ["provisions", "record", *args, "--config", str(config)])
    assert result.exit_code == 1, result.output
    assert result.exception is not None
    assert getattr(result.exception, "exit_code", None) == 2
    return f"{result.exception} {getattr(result.exception, 'hint', '')}"


def rows(config: Path, **query: Any) -> list[Any]:
    with StoreReader(config.parent / "store") as reader:
        return [decode(row.data) for row in reader.rows(RowQuery(**query))]


def listed(config: Path, *args: str) -> list[dict[str, Any]]:
    return json.loads(run(config, "list", "--json", *args).stdout)


def test_each_call_gets_its_number_and_rows_of_its_own(config: Path) -> None:
    said = json.loads(run(config, "record", ONE, TWO, *WHOLE, "--json").stdout)
    made = rows(config, kind="provision_recorded")
    assert said["provisions"] == [row.seq for row in made]
    assert [row.call for row in made] == [ONE, TWO]
    assert said["needs_record"] is True
    assert made[0].detail["items"] == ("NUMBER", "RECORDING")
    recipients = rows(config, kind="provision_recipient")
    assert [row.detail["party"] for row in recipients] == [r.detail["recipient"] for r in made]
    assert len({row.detail["party"] for row in recipients}) == 2
    assert {row.actor for row in (*made, *recipients)} == {made[0].detail["party"]}
    assert ["commit.user" in row.detail for row in made] == [True, False]


def test_no_row_says_who_received_it_and_the_officer_can_see_it(config: Path) -> None:
    run(config, "record", ONE, *WHOLE)
    with StoreReader(config.parent / "store") as reader:
        text = b"".join(stored.data for stored in reader.rows()).decode()
    for word in (COURT, ADDRESS, "山本", "同意書", "1111-2222"):
        assert word not in text
    assert "recipient" not in listed(config)[0]
    assert listed(config, "--names")[0]["recipient"] == {
        "name": COURT,
        "address": ADDRESS,
        "representative": "所長 山本",
        "reference": "同意書 第12号 090-1111-2222",
    }
    shown = run(config, "list", "--names").stdout.replace("\n", "")
    assert COURT in shown
    assert COURT not in run(config, "list").stdout


def test_who_receives_it_need_not_stand_on_the_command_line(config: Path) -> None:
    words = list(WHOLE)
    for option in ("--recipient", "--address", "--representative", "--reference"):
        words[words.index(option) + 1] = "-"
    line = ["provisions", "record", ONE, *words, "--config", str(config)]
    told = f"{COURT}\n{ADDRESS}\nits president\nform 12\n"
    assert CliRunner().invoke(app, line, input=told).exit_code == 0
    assert listed(config, "--names")[0]["recipient"] == {
        "name": COURT,
        "address": ADDRESS,
        "representative": "its president",
        "reference": "form 12",
    }
    long = CliRunner().invoke(app, line, input="x" * 1_025 + "\n" + told)
    assert (long.exit_code, "1,024" in long.output) == (2, True)
    assert len(listed(config)) == 1


def test_a_person_is_shown_what_is_about_his_own_call(config: Path) -> None:
    run(config, "record", ONE, TWO, *WHOLE)
    assert [one["call"] for one in listed(config, "--call", TWO)] == [TWO]


@pytest.mark.parametrize("call", ["c-nonsense", a_call(9), ""])
def test_a_slip_of_the_pen_is_not_told_that_nothing_was_handed_over(
    config: Path, call: str
) -> None:
    run(config, "record", ONE, *WHOLE)
    line = ["provisions", "list", "--call", call, "--config", str(config)]
    error = CliRunner().invoke(app, line).exception
    assert getattr(error, "exit_code", None) == 2
    assert "no row speaks of" in str(error)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("--address", ""), "address"),
        (("--representative", ""), "--natural-person"),
        (("--ground", "BECAUSE"), "one of CONSENT, LAW"),
        (("--country", "ZZ"), "no country"),
        (("--country", "US"), "EQUIVALENT_COUNTRY"),
        (("--items", "EVERYTHING"), "one of RECORDING"),
        (("--day", "2999-01-01"), "today or earlier"),
        (("--day", "yesterday"), "no day"),
        (("--abroad", "PERHAPS"), "one of CONSENT, EQUIVALENT_COUNTRY"),
        (("--reference", " "), "--reference"),
    ],
)
def test_half_a_record_is_none(config: Path, change: tuple[str, str], why: str) -> None:
    words = list(WHOLE)
    if change[0] in words:
        words[words.index(change[0]) + 1] = change[1]
    else:
        words += change
    assert why in refused(config, ONE, *words)
    assert rows(config, kind="provision_recorded") == []


def test_of_a_call_that_nobody_knows_nothing_is_recorded(config: Path) -> None:
    unknown = a_call(9)
    assert unknown in refused(config, ONE, unknown, *WHOLE)
    assert "c-…" in refused(config, "c-1", *WHOLE)
    many = [a_call(number) for number in range(201)]
    assert "more than 200" in refused(config, *many, *WHOLE)
    assert rows(config, kind="provision_recipient") == []


def test_a_ground_that_needs_no_record_is_told_and_recorded_all_the_same(config: Path) -> None:
    words = ("--recipient", "police", "--country", "JP", "--ground", "LAW", "--reference", "R8-1")
    result = run(config, "record", ONE, *words, "--items", "CALL_DATA")
    assert "asks for no record" in result.stderr
    assert [one["needs_record"] for one in listed(config)] == [False]


@pytest.fixture
def years_later() -> Iterator[pytest.MonkeyPatch]:
    """Four of them; the periods are counted from the real day."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asterisk_compliance.clock.unix_ms", lambda: AT_MS + 4 * YEAR_MS)
        patch.setattr(f"{APP}.retention.erasure.unix_ms", lambda: AT_MS + 4 * YEAR_MS)
        yield patch


def erased(config: Path, party: str, ground: str = "RETENTION_ENDED") -> Result:
    words = ["persons", "erase", "--party", party, "--ground", ground, "--authority", "REQ-7"]
    return CliRunner().invoke(app, [*words, "--yes", "--config", str(config)])


def test_before_its_last_day_a_recipient_is_erased_by_an_order_alone(config: Path) -> None:
    run(config, "record", ONE, *WHOLE)
    (one,) = listed(config)
    result = erased(config, one["party"])
    assert result.exit_code == 1
    assert "PROVISION_KEPT" in str(result.exception)
    assert listed(config)[0]["kept"]
    last = datetime.fromisoformat(f"{one['last_day']}T23:59:59+09:00").timestamp() * 1_000
    with pytest.MonkeyPatch.context() as patch:
        for where in ("asterisk_compliance.clock.unix_ms", f"{APP}.retention.erasure.unix_ms"):
            patch.setattr(where, lambda: int(last))
        assert "PROVISION_KEPT" in str(erased(config, one["party"]).exception)
        for where in ("asterisk_compliance.clock.unix_ms", f"{APP}.retention.erasure.unix_ms"):
            patch.setattr(where, lambda: int(last) + 1_000)
        assert erased(config, one["party"]).exit_code == 0
    run(config, "record", TWO, *WHOLE)
    assert erased(config, listed(config)[-1]["party"], "ORDER").exit_code == 0


def test_after_its_years_the_recipient_is_erased_and_the_row_stays(
    config: Path, request: pytest.FixtureRequest
) -> None:
    run(config, "record", ONE, *WHOLE)
    assert json.loads(run(config, "due", "--json").stdout) == []
    request.getfixturevalue("years_later")
    due = run(config, "due")
    (one,) = json.loads(run(config, "due", "--json").stdout)
    assert f"persons erase --party {one['party']} --ground RETENTION_ENDED" in due.stderr
    assert erased(config, one["party"]).exit_code == 0
    (after,) = listed(config, "--names")
    assert (after["kept"], "recipient" in after) == ([], False)
    assert after["erased_at"]
    assert json.loads(run(config, "due", "--json").stdout) == []
    assert verify(config.parent / "store").faults == []


def test_a_recipient_has_his_own_time_and_not_that_of_the_persons_of_the_call(
    config: Path,
) -> None:
    text = config.read_text() + '\n[retention]\nerase_persons = "1 day"\n'
    config.write_text(text)
    run(config, "record", ONE, *WHOLE)
    with StoreWriter.open(config.parent / "store") as writer:
        for call in (ONE, TWO):
            gone = {"recording": recording_id(call, 1)}
            writer.commit([draft(Kind.RECORDING_DISPOSED, call, AT_MS + 90_000_000, detail=gone)])
    with StoreReader(config.parent / "store") as reader:
        later = AT_MS + 4 * YEAR_MS
        due = list(due_persons(reader, load(config, secrets=False), later))
        roles = {known.role for one in due if (known := party(reader, one.party)) is not None}
    assert roles == {"caller"}


def test_a_period_of_the_site_is_longer(config: Path) -> None:
    config.write_text(config.read_text() + '\n[provisions]\nkeep = "5 years"\n')
    run(config, "record", ONE, *WHOLE)
    (one,) = listed(config)
    assert int(one["last_day"][:4]) == int(one["made"][:4]) + 5


def test_a_hold_keeps_what_is_known_of_a_recipient(config: Path) -> None:
    run(config, "record", ONE, *WHOLE)
    (one,) = listed(config)
    held = ["holds", "place", "CASE-1", "--call", ONE, "--config", str(config)]
    assert CliRunner().invoke(app, held).exit_code == 0
    erase = ["persons", "erase", "--party", one["party"], "--ground", "RETENTION_ENDED"]
    more = ["--authority", "REQ-7", "--yes", "--config", str(config)]
    result = CliRunner().invoke(app, [*erase, *more])
    assert result.exit_code == 1
    assert "ON_HOLD" in str(result.exception)


async def test_the_running_service_records_it_in_the_name_of_who_asks(tmp_path: Path) -> None:
    rules = '[rules]\nhome = "JP"\ntime_zone = "Asia/Tokyo"'
    config = write_config(tmp_path, rules=rules)
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit(a_recorded_call(ONE))
    async with Serving(config).running():
        result = await asyncio.to_thread(run, config, "record", ONE, *WHOLE, "--json")
    (made,) = rows(config, kind="provision_recorded")
    assert json.loads(result.stdout.splitlines()[-1])["provisions"] == [made.seq]
    assert "commit.user" in made.detail
