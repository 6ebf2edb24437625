"""The page about recording on the command line, and what check and explain say of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from asterisk_compliance.cli.main import app
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped import catalogue

CONFIG = """
[controller]
name = "Example K.K."
contact = "privacy@example.jp"
{controller}
[publication]
address = {{ ja = "東京都", en = "Tokyo" }}
procedure = {{ ja = "お問い合わせ先へ", en = "Write to the contact." }}
complaints = {{ ja = "受付係", en = "The desk." }}
[[asterisk]]
node = "pbx1"
spool = "{directory}"
sounds = "{directory}/sounds"
ari = {{ user = "compliance", secret_env = "NOT_SET" }}
ami = {{ user = "compliance", secret_env = "NOT_SET" }}
[[notice]]
id = "told"
version = "1"
purposes = ["SERVICE", "QUALITY"]
purposes_told_by = "{told_by}"
wording.ja.prompt = "notice-{prompt}"
wording.en.prompt = "notice-{prompt}"
[[policy]]
name = "inbound"
notice = "told"
languages = ["ja", "en"]
retention_max_days = 90
[rules]
time_zone = "Asia/Tokyo"
[audit]
store = "/nowhere/store"
[vault]
recordings = "/nowhere/recordings"
encryption = "off"
"""
PAGE = 'page = "https://www.example.jp/recording"\n'
SINCE = PAGE + "published = 2026-12-01"
KEY = f'\nfingerprint = "{"ab" * 32}"'
FILES = ["recording.ja.html", "recording.en.html", "recording.json"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    shutil.copytree(str(catalogue.sounds()), tmp_path / "sounds")
    return tmp_path


def write(site: Path, controller: str = SINCE, *, relies: bool = True) -> Path:
    file = site / "compliance.toml"
    told_by, prompt = ("publication", "published") if relies else ("notice", "standard")
    text = CONFIG.format(controller=controller, directory=site, told_by=told_by, prompt=prompt)
    file.write_text(text, "utf-8")
    return file


def run(file: Path, *command: str) -> Result:
    return CliRunner().invoke(app, [*command, "-c", str(file)])


# -- the page ----------------------------------------------------------------------------------


def test_it_writes_a_page_for_each_language_and_one_for_machines(site: Path) -> None:
    file, out = write(site, SINCE + KEY), site / "www" / "recording"
    result = run(file, "publish", "notice-page", "--out", str(out))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [str(out / name) for name in FILES]
    assert result.stderr == ""
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert "応対品質の向上" in (out / FILES[0]).read_text("utf-8")
    assert json.loads((out / FILES[2]).read_bytes())["published"] == "2026-12-01"


def test_it_writes_the_same_again_and_says_the_digests(site: Path) -> None:
    file = write(site)
    one, two = (
        run(file, "publish", "notice-page", "--json", "--out", str(site / name))
        for name in ("one", "two")
    )
    digests = [[entry["sha256"] for entry in json.loads(result.stdout)] for result in (one, two)]
    assert digests[0] == digests[1]
    for entry in json.loads(one.stdout):
        content = Path(entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]


def test_one_language_can_be_asked_for(site: Path) -> None:
    out = site / "out"
    run(write(site), "publish", "notice-page", "--language", "en", "--out", str(out))
    assert sorted(path.name for path in out.iterdir()) == ["recording.en.html", "recording.json"]


def test_what_the_page_lacks_is_said(site: Path) -> None:
    file = write(site, "")
    text = file.read_text("utf-8").replace('complaints = { ja = "受付係", en = "The desk." }', "")
    file.write_text(text, "utf-8")
    result = run(file, "publish", "notice-page", "--out", str(site / "out"))
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "not said: publication.complaints.ja",
        "not said: publication.complaints.en",
        "not said: controller.page",
        "not said: controller.published",
        "not said: controller.fingerprint",
    ]


def test_a_directory_that_cannot_be_written_is_an_error_and_leaves_nothing(site: Path) -> None:
    (site / "out").write_text("a file")
    result = run(write(site), "publish", "notice-page", "--out", str(site / "out"))
    assert isinstance(result.exception, ConfigError)
    assert (site / "out").read_text() == "a file"


# -- a published copy --------------------------------------------------------------------------


def test_a_published_copy_is_compared(site: Path) -> None:
    file, out = write(site), site / "out"
    run(file, "publish", "notice-page", "--out", str(out))
    same = run(file, "publish", "check", str(out))
    assert (same.exit_code, same.stdout) == (0, "")
    assert same.stderr == "3 published, 0 of them not as the configuration is now\n"

    write(site, SINCE.replace("12-01", "12-02"))
    other = run(file, "publish", "check", str(out))
    assert other.exit_code == 1
    assert other.stdout.splitlines() == [
        f"{out / FILES[0]}: -2026年12月1日",
        f"{out / FILES[0]}: +2026年12月2日",
        f"{out / FILES[1]}: -2026-12-01",
        f"{out / FILES[1]}: +2026-12-02",
        f"{out / FILES[2]}: published: differs",
    ]
    listed = json.loads(run(file, "publish", "check", "--json", str(out / FILES[2])).stdout)
    assert listed == [{"file": str(out / FILES[2]), "differences": ["published: differs"]}]


def test_what_a_directory_has_not_is_said(site: Path) -> None:
    file, out = write(site), site / "out"
    run(file, "publish", "notice-page", "--out", str(out))
    (out / FILES[1]).unlink()
    result = run(file, "publish", "check", str(out), str(out / FILES[0]))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [
        f"not there: {out / FILES[1]}",
        "2 published, 0 of them not as the configuration is now",
    ]


def test_a_directory_without_a_copy_is_an_error(site: Path) -> None:
    for nothing in (site, site / "missing"):
        result = run(write(site), "publish", "check", str(nothing))
        assert isinstance(result.exception, ConfigError)
        assert result.exception.exit_code == 2


# -- check and explain -------------------------------------------------------------------------


def findings(file: Path) -> list[tuple[str, str, str, str]]:
    listed = json.loads(run(file, "check", "--offline", "--json").stdout)
    wanted = {"NOT_PUBLISHED_YET", "PAGE_INCOMPLETE"}
    return [
        (one["id"], one["severity"], one["address"], one["what"])
        for one in listed
        if one["id"] in wanted
    ]


NOTHING = "inbound records nothing: its purposes are told by a page that is not published"


@pytest.mark.parametrize(
    ("controller", "severity", "what"),
    [
        ("", "error", NOTHING),
        (PAGE, "error", NOTHING),
        ("published = 2026-01-01", "error", NOTHING),
        (
            PAGE + "published = 2999-01-01",
            "warning",
            "inbound records nothing before 2999-01-01: its purposes wait",
        ),
    ],
)
def test_check_says_that_a_policy_waits_for_the_page(
    site: Path, controller: str, severity: str, what: str
) -> None:
    file = write(site, controller)
    assert findings(file) == [("NOT_PUBLISHED_YET", severity, "policy[1]", what)]


def test_check_has_nothing_to_say_of_a_page_that_is_there_or_that_nobody_needs(site: Path) -> None:
    assert findings(write(site, PAGE + "published = 2026-01-01")) == []
    assert findings(write(site, "", relies=False)) == []


def test_check_says_what_the_page_does_not_say(site: Path) -> None:
    file = write(site, PAGE + "published = 2026-01-01")
    text = file.read_text("utf-8").replace(', en = "Tokyo"', "")
    file.write_text(text.replace("retention_max_days = 90", ""), "utf-8")
    missing = "publication.address.en, purpose SERVICE.retention, purpose QUALITY.retention"
    said = f"the page about recording does not say {missing}"
    assert findings(file) == [("PAGE_INCOMPLETE", "warning", "publication", said)]


@pytest.mark.parametrize(
    ("controller", "at", "said"),
    [
        (
            SINCE,
            "2026-11-30T23:59:59+09:00",
            "Not recorded: its purposes are published from 2026-12-01 on.",
        ),
        (
            SINCE,
            "2026-12-01T00:00:00+09:00",
            "Its purposes are told by publication, at https://www.example.jp/recording.",
        ),
        (
            PAGE,
            "2026-12-01",
            "Not recorded: its purposes are told by publication, and no page is published.",
        ),
    ],
)
def test_explain_says_whether_the_page_is_there(
    site: Path, controller: str, at: str, said: str
) -> None:
    file = write(site, controller)
    shown = run(file, "explain", "--policy", "inbound", "--at", at).stdout
    assert f"notice = told\n    {said}\n" in shown
    listed = json.loads(run(file, "explain", "--policy", "inbound", "--at", at, "--json").stdout)
    assert listed["purposes"] == said


def test_explain_says_nothing_of_it_where_the_words_say_the_purposes(site: Path) -> None:
    shown = run(write(site, relies=False), "explain", "--policy", "inbound").stdout
    assert "notice = told\n\n" in shown


def test_the_words_of_such_a_notice_are_linted_without_its_purposes(site: Path) -> None:
    linted = CliRunner().invoke(app, ["sounds", "lint", "--json", "--config", str(write(site))])
    errors = [one["id"] for one in json.loads(linted.stdout) if one["severity"] == "error"]
    assert (linted.exit_code, errors) == (0, [])
