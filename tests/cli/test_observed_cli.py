"""``observed``: each recording of another system, and how many a day."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import AT_MS, draft

HOUR_MS = 3_600_000
EMPTY = dict.fromkeys(("told", "during", "incomplete", "untold", "refused", "unknown"), 0)


def began(channel: str, told: str, at_ms: int = AT_MS, number: int = 1, **detail: Any) -> Draft:
    given = {
        "channel": channel,
        "number": number,
        "by": "mixmonitor",
        "bridged": False,
        "told": told,
        "where": None,
        "notice": "",
    }
    return draft(Kind.RECORDING_OBSERVED, at_ms=at_ms, detail=given | detail)


def ended(channel: str, ran_ms: int, told_after_ms: int | None, number: int = 1) -> Draft:
    detail = {
        "channel": channel,
        "number": number,
        "cause": "hangup",
        "ran_ms": ran_ms,
        "told_after_ms": told_after_ms,
    }
    return draft(Kind.OBSERVED_ENDED, at_ms=AT_MS + 20 * HOUR_MS, detail=detail)


LATE = AT_MS + 17 * HOUR_MS  # the next day
ROWS = (
    ended("1.0", 5, None),  # it began before anybody looked
    began("1.1", "untold"),
    began("1.1", "told", number=2, bridged=True, where="channel", notice="custom/notice"),
    ended("1.1", 9_000, 6_500),
    began("1.2", "during", LATE),
    began("1.3", "unknown", LATE),
    began("1.1", "incomplete", LATE),  # after a restart of Asterisk
    ended("1.1", 100, None),
    ended("1.1", 200, 50),  # of none of these
    ended("1.3", 10, 5),
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit(ROWS)
    return tmp_path / "store"


def run(store: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["observed", *words, "--store", str(store)])


def listed(store: Path, *words: str) -> list[dict[str, Any]]:
    result = run(store, "list", "--json", *words)
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_recording_is_listed_with_its_end(store):
    found = listed(store)
    assert [
        (one["channel"], one["told"], one["ran_ms"], one["told_after_ms"]) for one in found
    ] == [
        ("1.1", "untold", 9_000, 6_500),
        ("1.1", "told", None, None),
        ("1.2", "during", None, None),
        ("1.3", "unknown", 10, 5),
        ("1.1", "incomplete", 100, None),
    ]
    assert found[1]["notice"] == "custom/notice"
    assert found[0]["at"] == timestamp(AT_MS)
    assert [one["told"] for one in listed(store, "--untold")] == ["untold", "during", "incomplete"]
    assert len(listed(store, "--since", timestamp(LATE))) == 3
    before = listed(store, "--until", timestamp(LATE))
    assert [one["ran_ms"] for one in before] == [9_000, None]  # it ended later


def test_the_table_says_the_same(store):
    lines = run(store, "list").stdout.splitlines()
    assert [line.split()[2] for line in lines[3:8]] == ["1.1", "1.1", "1.2", "1.3", "1.1"]
    assert "mixmonitor b" in lines[4]
    assert "6.5 s" in lines[3]
    assert "9.0 s" in lines[3]


def test_a_report_counts_by_day_and_ends_with_1_if_somebody_was_not_told(store):
    result = run(store, "report", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    first = EMPTY | {"day": "2026-11-24", "recordings": 2, "untold": 1, "told": 1, "later": 1}
    second = {"day": "2026-11-25", "recordings": 3, "during": 1, "unknown": 1, "incomplete": 1}
    assert found["days"] == [first, EMPTY | second | {"later": 0}]
    both = {"recordings": 5, "told": 1, "untold": 1, "during": 1, "unknown": 1, "incomplete": 1}
    assert found["all"] == EMPTY | both | {"later": 1}
    assert found["unseen"] == {"starts": 0, "lost": 0, "malformed": 0}
    lines = run(store, "report").stdout.splitlines()
    assert [line.split() for line in lines[3:6]] == [
        ["2026-11-24", "2", "1", "0", "0", "1", "0", "0", "1"],
        ["2026-11-25", "3", "0", "1", "1", "0", "0", "1", "0"],
        ["all", "5", "1", "1", "1", "1", "0", "1", "1"],
    ]


@pytest.mark.parametrize("told", ["told", "unknown"])
def test_where_nobody_is_known_to_be_untold_it_ends_with_0(tmp_path, told):
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit([began("1.1", told)])
    assert run(tmp_path / "store", "report").exit_code == 0


def test_it_says_when_nobody_looked(tmp_path):
    def about(kind: Kind, wire: str) -> Draft:
        return draft(kind, detail={"wire": wire})

    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit(
            [
                draft(Kind.SERVICE_STARTED, detail={"version": "1", "nodes": ("pbx1",)}),
                about(Kind.ASTERISK_DISCONNECTED, "ami"),
                about(Kind.ASTERISK_DISCONNECTED, "ami"),
                about(Kind.ASTERISK_DISCONNECTED, "ari"),
                about(Kind.EVENT_MALFORMED, "ari"),
            ]
        )
    result = run(tmp_path / "store", "report")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "starts of the service; nobody saw what was recorded before them: 1",
        "times that AMI was lost; nobody saw what was recorded until it was back: 2",
    ]


def test_a_day_is_the_sites(tmp_path):
    store = tmp_path / "store"
    with StoreWriter.open(store) as writer:
        writer.commit([began("1.1", "untold"), began("1.2", "untold", AT_MS + 8 * HOUR_MS)])
    config = tmp_path / "compliance.toml"
    config.write_text(
        f"""
[controller]
name = "Example K.K."
contact = "privacy@example.jp"
[[asterisk]]
node = "pbx1"
spool = "{tmp_path}/spool"
sounds = "{tmp_path}/sounds"
ami = {{ user = "watcher", secret_env = "NOT_SET" }}
observe.notices = {{ "custom/notice" = 6.5 }}
[rules]
time_zone = "Asia/Tokyo"
[audit]
store = "{store}"
[vault]
recordings = "{tmp_path}/vault"
encryption = "off"
"""
    )
    command = ["observed", "report", "--json", "--since", "2026-11-25", "--config", str(config)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    (day,) = json.loads(result.stdout)["days"]
    assert (day["day"], day["recordings"]) == ("2026-11-25", 1)
