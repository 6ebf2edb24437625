"""A configuration that is read again applies whole or not at all, and the log says which."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.serving import Serving, write_config, write_whole
from asterisk_compliance.app.policy.policies import digest_of
from asterisk_compliance.app.service import configuration_rows as introducing
from asterisk_compliance.app.service import runner as service_module
from asterisk_compliance.app.shared.control_socket import ask
from asterisk_compliance.config.settings import load
from asterisk_compliance.domain.policy.notice import Consent, OnProblem
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.content_store import ContentStore

JAPAN = '[rules]\nhome = "JP"\npresets = ["jp"]'


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[Serving]:
    serving = Serving(write_config(tmp_path))
    async with serving.running():
        yield serving


async def test_the_first_rows_say_by_which_rules_calls_are_dealt_with(serving: Serving) -> None:
    kinds = [row["kind"] for row in serving.rows()][:5]
    assert kinds == [
        "service_started",
        "signing_key_set",
        "config_loaded",
        "notice_registered",
        "notice_registered",
    ]
    (loaded,) = serving.details("config_loaded")
    assert loaded["digest"] == hashlib.sha256(serving.config.read_bytes()).hexdigest()
    assert loaded["policies"] == [f"inbound:{serving.policies.by_name['inbound'].digest}"]
    assert loaded["rules"] == digest_of(())


async def test_new_policies_and_rules_apply_to_calls_that_arrive_from_then_on(
    serving: Serving,
) -> None:
    before = serving.policies
    write_config(serving.config.parent, policy='on_notice_failure = "end"', rules=JAPAN)
    serving.reload.set()
    await serving.until(lambda: serving.policies is not before)
    assert serving.policies.by_name["inbound"].on_notice_failure is OnProblem.END
    assert before.by_name["inbound"].on_notice_failure is OnProblem.CONTINUE, "live calls hold it"
    first, second = serving.details("config_loaded")
    assert second["digest"] == hashlib.sha256(serving.config.read_bytes()).hexdigest()
    assert second["rules"] == digest_of(load(serving.config).every_rule) != first["rules"]
    assert second["policies"] != first["policies"]


async def test_new_words_are_kept_before_they_are_played(serving: Serving) -> None:
    text = serving.config.read_text("utf-8").replace('version = "1"', 'version = "2"')
    short = text.replace("notice-standard", "notice-short")
    before = serving.policies
    write_whole(serving.config, short)
    serving.reload.set()
    await serving.until(lambda: serving.policies is not before)
    new = serving.policies.by_name["inbound"].notice.wordings["ja"]
    rows = serving.rows()
    registered = [row for row in rows if row["detail"].get("notice") == "standard/2/ja"]
    assert [row["detail"]["audio_digest"] for row in registered] == [new.audio_digest]
    store = ContentStore(serving.config.parent / "store")
    assert store.get(new.text_digest) == new.text.encode()
    assert hashlib.sha256(store.get(new.audio_digest)).hexdigest() == new.audio_digest


@pytest.mark.parametrize(
    ("old", "new", "problems"),
    [
        ('notice = "standard"', 'notice = "standard"\nconsent = "loud"', 1),
        ('languages = ["ja"]', 'languages = ["ja", "en"]', 2),
        ("[audit]", "[[rule]]\nid = 'x'\nterms = { beep_s = 0 }\n[audit]", 1),
        ('prompt = "notice-standard"', 'prompt = "notice-nowhere"', 1),
        ("dialplan_s = 40", "dialplan_s = 41", 1),
        ("/store", "/other-store", 1),
        ("[controller]", "[controller", 1),
    ],
)
async def test_what_is_wrong_is_refused_whole(
    serving: Serving, old: str, new: str, problems: int
) -> None:
    text = serving.config.read_text("utf-8")
    assert old in text
    before, configuration = serving.policies, serving.service._configuration.current
    write_whole(serving.config, text.replace(old, new))
    serving.reload.set()
    await serving.until(lambda: serving.details("config_refused") != [])
    assert serving.details("config_refused") == [{"problems": problems}]
    assert len(serving.details("config_loaded")) == 1
    assert serving.policies is before
    assert serving.service._configuration.current is configuration


async def test_a_file_that_is_gone_is_refused_and_a_right_one_taken_later(serving: Serving) -> None:
    before = serving.policies
    serving.config.unlink()
    serving.reload.set()
    await serving.until(lambda: serving.details("config_refused") == [{"problems": 1}])
    write_config(serving.config.parent, rules=JAPAN)
    serving.reload.set()
    await serving.until(lambda: serving.policies is not before)


async def test_why_it_was_refused_is_in_the_service_s_log(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    text = serving.config.read_text("utf-8")
    changed = text.replace("127.0.0.1:1/", "127.0.0.1:2/").replace("stop_s = 0.1", "stop_s = 1")
    write_whole(serving.config, changed)
    serving.reload.set()
    await serving.until(lambda: serving.details("config_refused") != [])
    said = "".join(capsys.readouterr())
    assert "reload_refused" in said
    for address in ("asterisk[1].ari.url", "limits.stop_s"):
        assert f"{address}: needs a restart" in said


async def test_rules_that_change_soon_are_in_the_service_s_log(
    serving: Serving, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introducing, "AHEAD_DAYS", 100_000)
    monkeypatch.setattr(introducing, "unix_ms", lambda: 1_795_000_000_000)  # 2026-11-18
    before = serving.policies
    write_config(serving.config.parent, rules=JAPAN)
    serving.reload.set()
    await serving.until(lambda: serving.policies is not before)
    said = "".join(capsys.readouterr())
    assert "jp-appi.20280716" in said
    assert "jp-appi-26.20270117" in said, "and those about leaks"


@pytest.mark.parametrize("error", [StoreUnavailable("the disk is full"), RuntimeError("a defect")])
async def test_nothing_applies_that_the_log_could_not_say(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """And the service goes on: the next reload is tried."""
    before, tried = serving.policies, asyncio.Event()

    async def fail(*_: object) -> None:
        tried.set()
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(service_module, "introduce", fail)
        write_config(serving.config.parent, rules=JAPAN)
        serving.reload.set()
        await serving.until(tried.is_set)
        await asyncio.sleep(0)
    assert serving.policies is before
    serving.reload.set()
    await serving.until(lambda: serving.policies is not before)


async def test_the_status_names_the_configuration(serving: Serving) -> None:
    async def configuration() -> dict[str, str]:
        socket = serving.config.parent / "run/control.sock"
        answer = await asyncio.to_thread(ask, socket, "status", {})
        assert answer is not None
        return dict(answer["configuration"])

    await serving.until((serving.config.parent / "run/control.sock").exists)
    first = await configuration()
    assert first["digest"] == hashlib.sha256(serving.config.read_bytes()).hexdigest()
    before = serving.policies
    write_config(serving.config.parent, rules=JAPAN)
    serving.reload.set()
    await serving.until(lambda: serving.policies is not before)
    second = await configuration()
    assert second["digest"] == hashlib.sha256(serving.config.read_bytes()).hexdigest()
    assert second["loaded_at"] > first["loaded_at"]


async def test_a_rule_reloaded_reaches_the_next_call(serving: Serving) -> None:
    asked = {"policy": "inbound", "direction": "inbound", "queue": ""}
    called = {"number": "+4930123456", "dialled": "", "language": "ja"}
    told = serving.policies.apply(asked, **called)
    assert (told.policy.consent, told.rules) == (Consent.NOTICE, ())
    before = serving.policies
    rules = '[rules]\nhome = "JP"\npresets_by_number = ["eu-explicit"]'
    write_config(serving.config.parent, rules=rules)
    serving.reload.set()
    await serving.until(lambda: serving.policies is not before)
    now = serving.policies.apply(asked, **called)
    assert now.policy.consent is Consent.OPT_IN
    assert "eu-consent" in now.rules
    assert told.policy.consent is Consent.NOTICE
