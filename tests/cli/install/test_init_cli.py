"""``init`` and ``uninstall`` beside an Asterisk of which only the files are there."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import stat
import subprocess
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest

from asterisk_compliance.age import new_identity, recipients_of
from asterisk_compliance.app.install.uninstallation import uninstallation
from asterisk_compliance.app.policy.configuration import load_configuration
from asterisk_compliance.errors import ComplianceError, ConfigError, IdentityRefused
from installed_host import Host, states

STRANGER = 64_179
"""A user and a group that nobody here has."""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- a first run -------------------------------------------------------------------------------


def test_a_dry_run_says_every_path_and_touches_nothing(host: Host) -> None:
    before = host.seen()
    said = host.init("--dry-run", "--identity", str(host.directory / "officer.key"))
    assert host.seen() == before
    done = host.init("--identity", str(host.directory / "officer.key"))
    assert states(done) == states(said)
    assert set(states(said).values()) == {"new"}


def test_nothing_is_touched_but_what_is_said(host: Host) -> None:
    before = host.seen()
    said = host.init("--identity", str(host.directory / "officer.key"))
    after = host.seen()
    assert {path: after[path] for path in before} == before
    assert {str(path) for path in after.keys() - before.keys()} == {
        *states(said),
        said["manifest"]["path"],
    }


def test_each_path_has_the_mode_that_is_said_whatever_the_umask_is(host: Host) -> None:
    before = os.umask(0o077)
    try:
        said = host.init("--identity", str(host.directory / "officer.key"))
    finally:
        os.umask(before)
    for one in said["paths"]:
        assert mode(Path(one["path"])) == int(one["mode"], 8), one["path"]
    modes = {
        host.etc: 0o750,
        host.config: 0o640,
        host.etc / "ari.secret": 0o640,
        host.etc / "ami.secret": 0o640,
        host.state: 0o700,
        host.directory / "officer.key": 0o600,
        host.root / "var/spool/asterisk/compliance": 0o2770,
        host.conf / "compliance.conf": 0o644,
        host.conf / "compliance-ari.conf": 0o640,
        host.conf / "compliance-manager.conf": 0o640,
    }
    assert {path: mode(path) for path in modes} == modes


def test_the_configuration_has_every_comment_and_loads(host: Host) -> None:
    host.init(
        *("--name", 'Büro "Nord" \\ 株式会社\x7f', "--contact", "privacy@example.jp"),
        *("--home", "JP", "--time-zone", "Asia/Tokyo", "--node", "tokyo"),
    )
    loaded = load_configuration(host.config)
    settings = loaded.settings
    assert settings.controller.name == 'Büro "Nord" \\ 株式会社\x7f'
    assert settings.rules.home == "JP"
    assert settings.rules.presets == ("jp",)
    assert settings.asterisk[0].node == "tokyo"
    assert settings.asterisk[0].spool == Path("/var/spool/asterisk/compliance")
    assert settings.asterisk[0].spool_path == host.root / "var/spool/asterisk/compliance"
    assert settings.asterisk[0].ami.port == 5039
    assert settings.audit.store == host.state / "store"
    example = (Path(__file__).parents[3] / "examples/compliance.toml").read_text()
    comments = set(re.findall(r"(?m)^# .*$", example)) - {example.splitlines()[0]}
    assert comments <= set(host.config.read_text().splitlines())


@pytest.mark.parametrize(
    ("home", "languages", "presets"),
    [("JP", ("ja", "en"), ("jp",)), ("US", ("en",), ("us-all-party",)), ("DE", ("en",), ())],
)
def test_languages_and_rules_follow_from_the_country(
    host: Host, home: str, languages: tuple[str, ...], presets: tuple[str, ...]
) -> None:
    said = host.init("--home", home)
    settings = load_configuration(host.config).settings
    assert {policy.languages for policy in settings.policy} == {languages}
    assert settings.rules.presets == presets
    speaks = [] if languages == ("en",) else [f"same => n,Set(CHANNEL(language)={languages[0]})"]
    assert said["dialplan"] == [*speaks, "same => n,Gosub(compliance-notice,s,1(inbound))"]
    assert any("no rules of a country" in one for one in said["warnings"]) == (not presets)


def test_without_a_key_it_is_said_that_nothing_is_encrypted(host: Host) -> None:
    result = host.run("init", *host.options, "--yes")
    assert result.exit_code == 0
    assert "NOT ENCRYPTED" in result.stderr
    assert load_configuration(host.config).settings.vault.encryption == "off"


def test_the_officer_s_key_is_made_beside_it_or_taken_as_it_is(host: Host) -> None:
    file, (_, other) = host.directory / "officer.key", new_identity()
    result = host.run("init", *host.options, "--yes", "--identity", str(file), "--recipient", other)
    assert "Take it away from this machine" in result.stderr
    (own,) = recipients_of(file.read_text())
    assert load_configuration(host.config).settings.vault.recipients == (other, own)
    assert "AGE-SECRET-KEY" not in result.output
    text = file.read_text()
    for path in sorted(host.etc.iterdir()):
        path.unlink()
    host.init("--identity", str(file))
    assert file.read_text() == text
    assert load_configuration(host.config).settings.vault.recipients == (own,)


def test_what_is_no_key_is_refused_and_nothing_is_made(host: Host) -> None:
    file = host.directory / "officer.key"
    file.write_text("precious")
    before = host.seen()
    for words, error in (
        (("--identity", str(file)), IdentityRefused),
        (("--identity", str(host.directory / "nowhere/key")), ConfigError),
        (("--recipient", "age1nonsense"), ConfigError),
        (("--home", "XX"), ConfigError),
        (("--language", "fr"), ConfigError),
        (("--node", "a b"), ConfigError),
    ):
        assert isinstance(host.run("init", *host.options, "--yes", *words).exception, error)
    assert host.seen() == before


def test_whoever_cannot_be_asked_is_told_which_options_are_missing(host: Host) -> None:
    before = host.seen()
    result = host.run("init", *host.options, "--contact", "privacy@example.jp")
    assert isinstance(result.exception, ConfigError)
    assert result.exception.exit_code == 2
    assert "--name" in str(result.exception)
    assert "--recipient age1… or --identity FILE" in str(result.exception)
    assert "--contact" not in str(result.exception)
    assert host.seen() == before


@pytest.mark.parametrize(
    ("version", "named"), [("16.28.0", False), ("22.0.0", False), ("22.1.0", True)]
)
def test_event_filters_are_written_as_this_asterisk_reads_them(
    tmp_path: Path, version: str, named: bool
) -> None:
    host = Host(tmp_path, version)
    host.init()
    text = (host.conf / "compliance-manager.conf").read_text()
    assert ("eventfilter(action(include),name(Hangup)) =" in text) == named
    assert ("eventfilter = Event: Hangup[^A-Za-z]" in text) == (not named)
    assert re.findall(r"(?m)^(?:read|write) = (.*)$", text) == ["call,user", "call"]


def test_an_asterisk_that_is_not_there_or_too_old_is_refused(host: Host) -> None:
    result = host.run("init", "--yes", *host.options, "--asterisk-version", "16.16.0")
    assert "16.17, 18.3 or later" in str(result.exception)
    result = host.run("init", "--yes", "--asterisk-root", str(host.root), "--user", "0")
    assert isinstance(result.exception, ConfigError)
    assert "--asterisk-version" in result.exception.hint
    (host.conf / "asterisk.conf").unlink()
    result = host.run("init", "--yes", *host.options)
    assert isinstance(result.exception, ConfigError)
    assert "--asterisk-conf" in result.exception.hint


def test_no_secret_is_printed(host: Host) -> None:
    results = [
        host.run("init", *host.options, "--yes", "--dry-run"),
        host.run("init", *host.options, "--yes", "--json"),
        host.run("init"),
        host.run("uninstall", "--dry-run"),
    ]
    secrets = [(host.etc / f"{name}.secret").read_text().strip() for name in ("ari", "ami")]
    assert len({*secrets}) == 2
    assert all(len(secret) == 64 for secret in secrets)
    for result in results:
        assert not any(secret in result.output for secret in secrets)
    assert not any(secret in host.manifest.read_text() for secret in secrets)


# -- later runs --------------------------------------------------------------------------------


def test_a_second_run_changes_nothing(host: Host) -> None:
    host.init("--identity", str(host.directory / "officer.key"))
    (host.directory / "officer.key").unlink()  # as it was told
    before = host.seen()
    said = host.again()
    assert host.seen() == before
    assert set(states(said).values()) == {"same"}
    assert said["manifest"]["is"] == "same"
    assert host.init("--identity", str(host.directory / "officer.key"))["paths"] == said["paths"]
    assert host.seen() == before


def test_the_rest_follows_the_configuration(host: Host) -> None:
    host.init()
    toml = host.config.read_text()
    host.config.write_text(
        toml.replace('#application = "compliance"', 'application = "told"')
        .replace("#checkpoints_to = []", 'checkpoints_to = ["dir:/mnt/elsewhere"]')
        .replace("\n#[hearing]\n", "\n[hearing]\n")
    )
    said = states(host.again())
    assert {Path(path).name for path, state in said.items() if state == "changed"} == {
        "compliance.conf",
        "asterisk-compliance.service",
    }
    assert said[str(host.config)] == "kept"
    assert "Stasis(told," in (host.conf / "compliance.conf").read_text()
    unit = (host.directory / "units/asterisk-compliance.service").read_text()
    assert "ReadWritePaths=-/mnt/elsewhere\n" in unit
    assert "-m 2750 /dev/shm/asterisk-compliance\n" in unit
    assert set(states(host.again()).values()) == {"same", "kept"}


def test_what_was_edited_is_kept_and_said(host: Host) -> None:
    host.init()
    edited = [
        host.conf / "compliance-features.conf",
        host.etc / "ami.secret",
        host.directory / "units/asterisk-compliance.service",
    ]
    for path in edited:
        path.write_text(f"{path.read_text()}\n; mine\n")
    host.config.write_text(host.config.read_text().replace("#segment_s = 2.0", "segment_s = 3.0"))
    before = host.seen()
    said = states(host.again())
    kept = {path for path, state in said.items() if state == "kept"}
    assert kept == {*map(str, edited), str(host.config)}
    after = host.seen()
    assert {path: after[path] for path in edited} == {path: before[path] for path in edited}


def rights(paths: Iterable[Path]) -> dict[Path, tuple[int, int, int]]:
    seen = {path: path.lstat() for path in paths}
    return {path: (one.st_mode, one.st_uid, one.st_gid) for path, one in seen.items()}


def mistreat(paths: Iterable[Path]) -> None:
    """Another mode, and where whoever tests may give files away, another user and group."""
    for path in paths:
        if os.geteuid() == 0:
            os.chown(path, STRANGER, STRANGER)
        path.chmod(0o700 if path.is_dir() else 0o600)


def test_owner_and_mode_of_what_it_made_are_put_right_whoever_edited_it(host: Host) -> None:
    """As they are out of a backup, or on another machine."""
    key = host.directory / "officer.key"
    first = host.init("--identity", str(key))
    edited = (host.config, host.conf / "compliance-features.conf")
    for path in edited:
        path.write_text(f"{path.read_text()}\n# mine\n")
    made = [*map(Path, states(first)), host.manifest]
    made.remove(key)
    before, texts = rights(made), [path.read_bytes() for path in made if path.is_file()]
    mistreat([*made, key, *host.conf.glob("http.conf")])
    treated = rights(host.directory.rglob("*"))
    told = host.init("--dry-run")
    assert rights(host.directory.rglob("*")) == treated
    table = host.run("init", "--dry-run").stdout
    assert "owner or mode" in table
    said = host.again()
    assert said["paths"] == told["paths"]
    assert said["manifest"]["is"] == told["manifest"]["is"] == "changed"
    for one in said["paths"]:
        assert (one["is"], one["why"]) == ("changed", "owner or mode"), one["path"]
    assert rights(made) == before
    assert [path.read_bytes() for path in made if path.is_file()] == texts
    others = [key, host.conf / "http.conf"]
    assert rights(others) == {path: treated[path] for path in others}
    later = host.again()
    assert {path for path, state in states(later).items() if state != "same"} == {*map(str, edited)}
    assert later["manifest"]["is"] == "same"


def test_the_manifest_s_own_owner_and_mode_are_put_right_too(host: Host) -> None:
    host.init()
    before = rights([host.manifest])
    mistreat([host.manifest])
    result = host.run("init")
    (line,) = (one for one in result.stdout.splitlines() if host.manifest.name in one)
    assert "changed" in line
    assert "owner or mode" in line
    assert rights([host.manifest]) == before
    assert host.again()["manifest"]["is"] == "same"


def test_what_it_does_not_know_to_be_its_own_keeps_owner_and_mode(host: Host) -> None:
    """A copy without ``installed.json`` is somebody's own files."""
    host.init()
    host.manifest.unlink()
    mistreat([host.config, host.etc])
    copied = rights([host.config, host.etc])
    said = {one["path"]: (one["is"], one["why"]) for one in host.init()["paths"]}
    assert said[str(host.config)] == ("kept", "yours, with other rights")
    assert said[str(host.etc)] == ("kept", "it was there before, with other rights")
    assert rights([host.config, host.etc]) == copied


def test_a_file_that_has_another_name_is_left_to_whoever_gave_it(host: Host) -> None:
    host.init()
    mistreat([host.config])
    (host.directory / "snapshot").hardlink_to(host.config)
    before = rights([host.config])
    assert states(host.again())[str(host.config)] == "kept"
    assert rights([host.config]) == before


def test_a_directory_that_was_put_elsewhere_is_left_to_whoever_did_it(host: Host) -> None:
    host.init()
    elsewhere = host.directory / "elsewhere"
    host.state.rename(elsewhere)
    host.state.symlink_to(elsewhere)
    elsewhere.chmod(0o750)
    assert states(host.again())[str(host.state)] == "kept"
    assert mode(elsewhere) == 0o750


def test_what_was_there_before_is_kept_and_is_not_ours(host: Host) -> None:
    mine = host.conf / "compliance.conf"
    mine.write_text("; by hand\n")
    spool = host.root / "var/spool/asterisk/compliance"
    spool.mkdir(mode=0o755)
    linked = host.conf / "compliance-ari.conf"
    goal = host.directory / "goal"
    goal.write_text("somebody else's")
    linked.symlink_to(goal)
    before = host.seen()
    said = states(host.init())
    for path in (mine, spool, linked):
        assert said[str(path)] == "kept"
    assert host.run("uninstall").exit_code == 0
    assert host.seen() == before


def test_a_link_that_is_planted_where_we_write_leads_nowhere(host: Host) -> None:
    """The directory belongs to Asterisk's user, who is told what to do by callers."""
    goal = host.directory / "goal"
    goal.write_text("somebody else's")
    (host.conf / ".compliance.conf.new").symlink_to(goal)
    host.init()
    assert goal.read_text() == "somebody else's"
    assert not (host.conf / "compliance.conf").is_symlink()


def test_an_older_text_of_ours_is_written_again(host: Host) -> None:
    host.init()
    features = host.conf / "compliance-features.conf"
    new = features.read_text()
    features.write_text("; of an earlier version\n")
    manifest = json.loads(host.manifest.read_text())
    manifest["made"][str(features)] = [sha256(features.read_bytes()).hexdigest()]
    host.manifest.write_text(json.dumps(manifest))
    assert states(host.again())[str(features)] == "changed"
    assert features.read_text() == new


def test_a_manifest_that_is_none_is_refused(host: Host) -> None:
    host.init()
    for text in ("", "{}", '{"format": 2, "site": null, "account": null, "made": {}}'):
        host.manifest.write_text(text)
        assert isinstance(host.run("init").exception, ConfigError)
        assert isinstance(host.run("uninstall").exception, ConfigError)


# -- what is said ------------------------------------------------------------------------------


def additions(host: Host) -> dict[str, tuple[str, list[str]]]:
    said = host.init("--dry-run")["additions"]
    return {Path(one["file"]).name: (one["where"], one["lines"]) for one in said}


def test_only_what_is_missing_is_to_be_added(host: Host) -> None:
    assert additions(host) == {
        "http.conf": ("[general]", ["enabled = yes"]),
        "ari.conf": ("at its end", ["#include compliance-ari.conf"]),
        "manager.conf": ("at its end", ["#include compliance-manager.conf"]),
        "features.conf": (
            "at its end",
            ["[applicationmap]", "#include compliance-features.conf"],
        ),
        "extensions.conf": ("at its end", ["#include compliance.conf"]),
    }
    manager = [one for one in host.init("--dry-run")["additions"] if one["file"].endswith("r.conf")]
    assert [one["lines"] for one in manager] == [
        ["enabled = yes", "bindaddr = 127.0.0.1"],
        ["#include compliance-manager.conf"],
    ]
    for name, lines in (
        ("http.conf", "[general]\nenabled = yes\n"),
        ("ari.conf", '#include "compliance-ari.conf"\n'),
        ("manager.conf", "[general]\nenabled = yes\n#tryinclude compliance-manager.conf\n"),
        ("features.conf", "[applicationmap]\n"),
        ("extensions.conf", "#include more.conf\n"),
        ("more.conf", "[more]\n#include /etc/asterisk/compliance.conf\n"),
    ):
        (host.conf / name).write_text(lines)
    assert additions(host) == {
        "features.conf": ("below [applicationmap]", ["#include compliance-features.conf"]),
        "http.conf": ("[general]", ["bindaddr = 127.0.0.1"]),  # without one it does not listen
    }


def test_where_a_program_writes_the_files_it_is_the_custom_ones_that_are_named(
    host: Host,
) -> None:
    for name, own in (
        ("extensions.conf", "extensions_custom.conf"),
        ("manager.conf", "manager_custom.conf"),
    ):
        with (host.conf / name).open("a") as file:
            file.write(f"#include {own}\n")
        (host.conf / own).touch()
    named = additions(host)
    assert {"extensions_custom.conf", "manager_custom.conf", "ari.conf"} <= set(named)
    assert not {"extensions.conf", "manager.conf"} & set(named)
    host.init()
    (asterisk,) = load_configuration(host.config).settings.asterisk
    assert asterisk.spool.name == "asterisk-compliance"  # all below is FreePBX's to give away


def test_without_cdrs_the_channel_events_are_named(host: Host) -> None:
    (host.conf / "cdr.conf").write_text("[general]\nenable = no\n[csv]\n")
    assert additions(host)["cdr.conf"][0] == "at its end"
    (host.conf / "cel.conf").write_text("[general]\nenable = yes\n")
    (host.conf / "cel_custom.conf").write_text(
        "[mappings]\nEvents.csv => ${CSV_QUOTE(${eventtype})}\n"
    )
    assert "cdr.conf" not in additions(host)
    host.init()
    there = load_configuration(host.config).settings.reconcile
    assert there.cdr == ()
    assert there.cel == (host.root / "var/log/asterisk/cel-custom/Events.csv",)


def test_what_should_be_known_is_said(host: Host) -> None:
    (host.conf / "http.conf").write_text("[general]\nenabled = yes\nbindaddr = 0.0.0.0\n")
    (host.conf / "manager.conf").write_text("[general]\nenabled = yes\n[compliance]\nsecret = x\n")
    modules = host.root / "usr/lib/asterisk/modules"
    modules.mkdir(parents=True)
    for name in ("res_ari", "app_dial"):
        (modules / f"{name}.so").touch()
    (host.conf / "modules.conf").write_text("[modules]\nnoload = res_ari.so\n")
    warnings = "\n".join(host.init()["warnings"])
    assert "http.conf: other hosts can connect" in warnings
    assert "manager.conf:3: a user [compliance] is there already" in warnings
    assert " res_ari, " in warnings
    assert " app_dial, " not in warnings


def test_what_is_to_be_reloaded_is_said_until_it_is(host: Host) -> None:
    first = host.init()["commands"]
    assert first[-2:] == [
        "systemctl daemon-reload",
        "systemctl enable --now asterisk-compliance.service asterisk-compliance-retention.timer",
    ]
    assert "asterisk -rx 'dialplan reload'" in first
    with (host.conf / "extensions.conf").open("a") as file:
        file.write("#include compliance.conf\n")
    assert "asterisk -rx 'dialplan reload'" not in host.again()["commands"]
    host.config.write_text(
        host.config.read_text().replace("#dialplan_s = 30.0", "dialplan_s = 40.0")
    )
    assert "asterisk -rx 'dialplan reload'" in host.again()["commands"]


# -- uninstall ---------------------------------------------------------------------------------


def test_uninstall_leaves_exactly_what_was_there_before(host: Host) -> None:
    before = host.seen()
    host.init()
    there = host.seen()
    told = host.run("uninstall", "--dry-run")
    assert told.exit_code == 0
    assert "files)" in told.stdout
    assert host.seen() == there
    assert host.run("uninstall").exit_code == 0
    assert host.seen() == before
    assert isinstance(host.run("uninstall").exception, ConfigError)


def test_uninstall_keeps_what_was_edited_and_what_is_evidence(host: Host) -> None:
    key = host.directory / "officer.key"
    host.init("--identity", str(key))
    host.config.write_text(f"{host.config.read_text()}\n# mine\n")
    recording = host.state / "recordings/r-1.wav.age"
    recording.parent.mkdir()
    recording.write_text("sealed")
    running = host.root / "var/spool/asterisk/compliance/r-2-rx.wav"
    running.write_text("plain")
    result = host.run("uninstall")
    assert result.exit_code == 0
    for path in (key, host.config, recording, running):
        assert path.exists()
    assert f"kept: {host.config}" in result.stderr
    assert f"kept: {host.state}, the log and the recordings" in result.stderr
    assert not (host.etc / "ari.secret").exists()
    assert not (host.conf / "compliance.conf").exists()
    assert not list((host.directory / "units").iterdir())


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        ("root/etc/asterisk/extensions.conf", "#include compliance.conf\n", "take out #include"),
        ("root/etc/asterisk/ari.conf", "#include compliance-ari.conf\n", "take out #include"),
        (
            "root/etc/asterisk/extensions.conf",
            "exten => 2,1,Gosub(compliance-notice,s,1(inbound))\n",
            "extensions.conf:3: the dialplan calls our routine",
        ),
        ("units/multi-user.target.wants/asterisk-compliance.service", "", "systemctl disable"),
    ],
)
def test_nothing_is_taken_from_under_who_uses_it(
    host: Host, file: str, line: str, words: str
) -> None:
    host.init()
    path = host.directory / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as out:
        out.write(line)
    before = host.seen()
    for options in ((), ("--dry-run",)):
        result = host.run("uninstall", *options)
        assert result.exit_code == 1
        assert words in result.stderr
        assert "nothing was removed" in result.stderr
    assert host.seen() == before


def test_an_obstacle_stands_in_the_way_of_whoever_does_not_ask(host: Host) -> None:
    host.init()
    with (host.conf / "extensions.conf").open("a") as out:
        out.write("#include compliance.conf\n")
    before = host.seen()
    with pytest.raises(ComplianceError, match="nothing was removed"):
        uninstallation(host.manifest, host.config).carry_out()
    assert host.seen() == before


# -- at a terminal -----------------------------------------------------------------------------


def at_a_terminal(host: Host, answers: str, *words: str) -> tuple[str, str]:
    """What ``init`` prints, and what is said at the terminal by whoever answers, line by line."""
    ours, theirs = pty.openpty()
    command = [Path(sys.executable).with_name("asterisk-compliance"), "init", "--etc", host.etc]
    with subprocess.Popen(
        [*command, *host.options, *words], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE
    ) as process:
        os.close(theirs)
        os.write(ours, answers.encode())
        assert process.stdout is not None
        printed = process.stdout.read().decode()
        said = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody is there any more
            while more := os.read(ours, 4096):
                said += more
    os.close(ours)
    assert process.returncode == 0, said
    return printed, said.decode()


def test_whoever_sits_at_a_terminal_is_asked(host: Host) -> None:
    key = host.directory / "officer.key"
    answers = f"Example K.K.\nprivacy@example.jp\njp\n{key}\n"
    printed, said = at_a_terminal(host, answers, "--time-zone", "Asia/Tokyo")
    assert "Who is responsible" in said
    assert "Country of this site (JP, US, …) [JP]" in said
    assert "Take it away from this machine" in said
    assert "Add to Asterisk's own files, which are yours:" in printed
    settings = load_configuration(host.config).settings
    assert settings.controller.name == "Example K.K."
    assert settings.rules.home == "JP"
    assert settings.vault.recipients == tuple(recipients_of(key.read_text()))


def test_a_country_that_is_none_is_asked_for_again(host: Host) -> None:
    key = host.directory / "officer.key"
    answers = f"Example K.K.\nprivacy@example.jp\nJPN\njp\n{key}\n"
    _, said = at_a_terminal(host, answers, "--time-zone", "Asia/Tokyo")
    assert "JPN is no ISO 3166-1 country code" in said
    assert load_configuration(host.config).settings.rules.home == "JP"
