"""Plans of an installation, and an installation that dies at any of its steps."""

from __future__ import annotations

import configparser
import grp
import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.app.install import wanted as installing_wanted
from asterisk_compliance.app.install.answers import Answers, with_values
from asterisk_compliance.app.install.asterisk import find_asterisk
from asterisk_compliance.app.install.files import (
    InstallationFailed,
    account_command,
    missing_account,
    run_command,
    write_private,
)
from asterisk_compliance.app.install.installation import prepare, unreachable
from asterisk_compliance.app.install.manifest import (
    InstalledAccount,
    InstalledSite,
    Manifest,
    ManifestEntry,
    decoded,
)
from asterisk_compliance.app.install.places import (
    InstallPaths,
    country_of,
    group_of,
    invoking_user,
)
from asterisk_compliance.app.install.plan import (
    Belongs,
    FileState,
    InstallPlan,
    Owners,
    There,
    WantedFile,
    plan,
)
from asterisk_compliance.app.install.uninstallation import (
    RemovalFate,
    plan_removals,
    uninstallation,
)
from asterisk_compliance.app.install.wanted import ami_user, ari_user, units
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.shipped import catalogue
from installed_host import Host
from sample_settings import settings

ROOT = ("root", "root")
OWNERS = Owners({"root": 0, "compliance": 7}, {"root": 0, "compliance": 7})
TEXTS = (b"ours", b"ours, of an earlier version", b"somebody's")
ABOVE = {Path("/"): There(0, 0, 0o755)}
PATHS = tuple(Path(name) for name in ("/a", "/a/b", "/a/b/c", "/d"))


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def planned(wanted: list[WantedFile], there: dict[Path, There], before: Manifest) -> InstallPlan:
    return plan(wanted, there, before, OWNERS, site=InstalledSite(), administrator=ROOT)


# -- plans -------------------------------------------------------------------------------------

_wanted = st.builds(
    WantedFile,
    path=st.sampled_from(PATHS),
    mode=st.sampled_from([0o640, 0o644]),
    owner=st.sampled_from(["root", "compliance", "nobody yet"]),
    group=st.just("root"),
    content=st.sampled_from([None, TEXTS[0]]),
    belongs=st.sampled_from(list(Belongs)),
)
_there = st.builds(
    There,
    uid=st.sampled_from([0, 7]),
    gid=st.just(0),
    mode=st.sampled_from([0o640, 0o644]),
    sha256=st.sampled_from([None, *map(digest, TEXTS)]),
    is_odd=st.booleans(),
    is_shared=st.booleans(),
)
_entry = st.builds(
    ManifestEntry,
    st.lists(st.sampled_from([*map(digest, TEXTS[:2])]), max_size=2, unique=True).map(tuple),
)


@given(
    st.lists(_wanted, min_size=1, unique_by=lambda one: one.path),
    st.dictionaries(st.sampled_from(PATHS), _there),
    st.dictionaries(st.sampled_from(PATHS), _entry),
)
def test_no_plan_touches_what_somebody_made_or_edited(
    wanted: list[WantedFile], there: dict[Path, There], entries: dict[Path, ManifestEntry]
) -> None:
    before = Manifest(InstalledSite(), entries)
    made = planned(wanted, there, before)
    for step in made.work:
        found = there.get(step.wanted.path)
        if found is not None:
            assert not found.is_odd
            assert step.wanted.path in entries
            assert step.wanted.belongs is not Belongs.PRECIOUS
            if step.keeps_text:
                assert not OWNERS.have(step.wanted, found)
                assert not found.is_shared
            else:
                assert entries[step.wanted.path].is_as_left(found.sha256)
                assert step.wanted.belongs is Belongs.RENDERED
    ours = {step.wanted.path for step in made.work} | entries.keys()
    assert made.manifest.entries.keys() <= ours
    assert not any(
        step.wanted.path in made.manifest.entries
        for step in made.steps
        if step.wanted.belongs is Belongs.PRECIOUS and step.wanted.path not in entries
    )
    for path, entry in entries.items():
        assert set(entry.sha256) <= {
            *made.manifest_meanwhile.entries[path].sha256,
            *made.manifest.entries[path].sha256,
        }


@given(
    st.dictionaries(st.sampled_from(PATHS), _there),
    st.dictionaries(st.sampled_from(PATHS), _entry),
)
def test_only_what_is_as_we_left_it_is_taken_back(
    there: dict[Path, There], entries: dict[Path, ManifestEntry]
) -> None:
    inside = {path: frozenset(one for one in there if one.parent == path) for path in entries}
    manifest = Path("/m")
    removals = list(plan_removals(Manifest(InstalledSite(), entries), there, inside, manifest))
    assert {one.path for one in removals} == entries.keys()
    gone: set[Path] = set()
    for one in removals:
        if one.fate is RemovalFate.REMOVED:
            found = there[one.path]
            assert not found.is_odd
            assert entries[one.path].is_as_left(found.sha256)
            assert not one.is_directory or inside[one.path] <= gone
            gone.add(one.path)


def test_directories_above_are_made_and_are_ours_if_they_were_not_there() -> None:
    wanted = [WantedFile(Path("/a/b/c"), 0o644, *ROOT, b"ours")]
    there = {**ABOVE, Path("/a"): There(0, 0, 0o755)}
    made = planned(wanted, there, Manifest())
    assert [(step.wanted.path, step.state) for step in made.steps] == [
        (Path("/a/b"), FileState.NEW),
        (Path("/a/b/c"), FileState.NEW),
    ]
    assert set(made.manifest.entries) == {Path("/a/b"), Path("/a/b/c")}


@pytest.mark.parametrize(
    ("belongs", "text", "keeps_text"),
    [
        (Belongs.RENDERED, TEXTS[0], False),
        (Belongs.RENDERED, TEXTS[2], True),
        (Belongs.SEEDED, TEXTS[0], True),
        (Belongs.SEEDED, TEXTS[2], True),
    ],
)
def test_owner_and_mode_are_put_right_of_what_we_made_and_of_nothing_else(
    belongs: Belongs, text: bytes, keeps_text: bool
) -> None:
    wanted = [WantedFile(Path("/a"), 0o640, "root", "compliance", TEXTS[0], belongs)]
    there = {**ABOVE, Path("/a"): There(0, 0, 0o640, digest(text))}
    made = Manifest(InstalledSite(), {Path("/a"): ManifestEntry((digest(TEXTS[0]),))})
    (step,) = planned(wanted, there, made).work
    assert (step.why, step.keeps_text) == ("owner or mode", keeps_text)
    assert planned(wanted, there, made).manifest == made
    (kept,) = planned(wanted, there, Manifest()).steps
    assert kept.state is FileState.KEPT
    assert kept.why.endswith(", with other rights")


def test_a_file_with_other_names_keeps_its_owner() -> None:
    """Whose the other names are, nobody knows."""
    wanted = [WantedFile(Path("/a"), 0o640, *ROOT, TEXTS[0], Belongs.SEEDED)]
    there = {**ABOVE, Path("/a"): There(7, 0, 0o640, digest(TEXTS[0]), is_shared=True)}
    made = Manifest(InstalledSite(), {Path("/a"): ManifestEntry((digest(TEXTS[0]),))})
    (kept,) = planned(wanted, there, made).steps
    assert (kept.state, kept.why) == (FileState.KEPT, "yours, with other rights")


def test_a_directory_to_which_a_link_leads_keeps_its_owner() -> None:
    wanted = [WantedFile(Path("/a"), 0o750, "root", "compliance")]
    made = Manifest(InstalledSite(), {Path("/a"): ManifestEntry()})
    for is_shared, changed in ((False, ["owner or mode"]), (True, [])):
        there = {**ABOVE, Path("/a"): There(0, 0, 0o750, is_shared=is_shared)}
        assert [step.why for step in planned(wanted, there, made).work] == changed


def test_a_manifest_is_read_as_it_was_written() -> None:
    entries = {Path("/a"): ManifestEntry(), Path("/a/b"): ManifestEntry((digest(TEXTS[0]),))}
    account = InstalledAccount(
        "compliance", made=True, joined=("asterisk",), home=Path("/var/lib/x")
    )
    manifest = Manifest(InstalledSite(asterisk_version="22.1"), entries, account)
    assert decoded(manifest.encoded(), Path("x")) == manifest


def test_a_plan_shows_no_content() -> None:
    made = planned([WantedFile(Path("/a"), 0o640, *ROOT, b"secret-1")], {}, Manifest())
    assert "secret-1" not in repr(made)


# -- the account -------------------------------------------------------------------------------


def test_a_user_is_made_as_a_system_user_in_asterisk_s_group() -> None:
    account = missing_account(InstalledSite(user="nobody-of-this-name"), "asterisk")
    assert account == InstalledAccount(
        "nobody-of-this-name", made=True, joined=("asterisk",), home=InstalledSite().state
    )
    command = account_command(account)
    assert command[:4] == ("useradd", "--system", "--user-group", "--no-create-home")
    assert command[-3:] == ("--groups", "asterisk", "nobody-of-this-name")


def test_a_user_who_is_there_joins_the_group_and_no_more() -> None:
    assert missing_account(InstalledSite(user="root"), None) is None
    assert missing_account(InstalledSite(user="root"), "root") is None
    account = missing_account(InstalledSite(user="root"), "daemon")
    assert account is not None
    assert not account.made
    assert account_command(account) == ("usermod", "--append", "--groups", "daemon", "root")
    assert missing_account(InstalledSite(user="64077"), "asterisk") is None, (
        "a number needs no name"
    )


def test_a_group_is_named_so_that_it_is_the_same_on_another_machine() -> None:
    assert group_of("root") == group_of("0") == "root"
    assert group_of("nobody-of-this-name") == "nobody-of-this-name"
    assert group_of("64077") == "64077"


def test_a_group_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless(_number: int) -> None:
        raise KeyError

    monkeypatch.setattr(grp, "getgrgid", nameless)
    assert group_of("root") == "0"


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(InstallationFailed, match="no-such-program"):
        run_command(["no-such-program"])
    with pytest.raises(InstallationFailed, match="oh no"):
        run_command(["sh", "-c", "echo oh no >&2; exit 3"])


# -- texts -------------------------------------------------------------------------------------


def test_units_can_be_parsed_and_say_where_the_service_writes() -> None:
    there = settings(
        audit={
            "store": "/var/lib/asterisk-compliance/store",
            "jsonl": "/var/log/compliance/audit.jsonl",
            "checkpoints_to": ["dir:/mnt/elsewhere", "stdout"],
        }
    )
    service = parsed(there)["asterisk-compliance.service"]
    assert service["Service"]["ReadWritePaths"] == [
        "/var/log/compliance",
        "/var/spool/asterisk/compliance",
        "-/mnt/elsewhere",
    ]
    assert service["Service"]["RuntimeDirectory"] == ["asterisk-compliance"]
    assert "ExecStartPre" not in service["Service"]
    retention = parsed(there)["asterisk-compliance-retention.service"]
    assert "/var/spool/asterisk/compliance" not in retention["Service"]["ReadWritePaths"]
    for unit in (service, retention):
        for name in ("NoNewPrivileges", "PrivateTmp", "MemoryDenyWriteExecute", "ProtectHome"):
            assert unit["Service"][name] == ["yes"]
        assert unit["Service"]["ProtectSystem"] == ["strict"]
        assert unit["Service"]["CapabilityBoundingSet"] == [""]
        assert unit["Service"]["User"] == ["compliance"]
    timer = parsed(settings(rules={"time_zone": "Asia/Tokyo"}))
    assert timer["asterisk-compliance-retention.timer"]["Timer"]["OnCalendar"] == [
        "*-*-* 00:10:00 Asia/Tokyo"
    ]


def parsed(there: Settings) -> dict[str, dict[str, dict[str, list[str]]]]:
    """Units by name, their sections, and every value of each setting."""
    found = {}
    for name, text in units(there, "asterisk", InstallPaths()).items():
        parser = configparser.RawConfigParser(
            strict=False, interpolation=None, dict_type=_Many, empty_lines_in_values=False
        )
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(text)
        found[name] = {
            section: {key: value.split("\n") for key, value in parser.items(section)}
            for section in parser.sections()
        }
    return found


class _Many(dict[Any, Any]):
    """Keeps every value of a key that is there several times."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, list) and key in self:
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def test_a_setting_that_the_example_does_not_have_is_an_error() -> None:
    with pytest.raises(KeyError):
        with_values("[a]\nb = 1\n", {("a", "c"): "2"})
    assert with_values("[a]\n#b = 1\n", {("a", "b"): "2"}) == "[a]\nb = 2\n"
    assert with_values("[a]\n#b = 1\n", {("a", "b"): "1"}) == "[a]\n#b = 1\n"
    assert with_values("[a]\nb = 1\n", {("a", "b"): None}) == "[a]\n#b = 1\n"


def test_users_of_asterisk_are_let_in_from_this_host_alone() -> None:
    text = ami_user("told", "se;cret", "127.0.0.1", (22, 10))
    assert "[told]\nsecret = se\\;cret\ndeny = 0.0.0.0/0.0.0.0\n" in text
    assert "permit = 127.0.0.1/255.255.255.255\n" in text
    assert "permit" not in ami_user("told", "x", "10.0.0.5", (22, 10))
    assert "password = se\\;cret\n" in ari_user("told", "se;cret")


def test_the_country_follows_from_the_time_zone() -> None:
    assert country_of("Asia/Tokyo") == "JP"
    assert country_of("Europe/Berlin") == "DE"
    assert country_of("UTC") is None


def test_a_program_in_somebody_s_home_cannot_be_reached(tmp_path: Path) -> None:
    program = tmp_path / "open/bin/asterisk-compliance"
    program.parent.mkdir(parents=True)
    program.touch()
    (tmp_path / "open").chmod(0o700)
    assert unreachable(program) == tmp_path / "open"
    assert unreachable(Path("/usr/bin/env")) is None


def test_a_new_file_takes_the_place_of_nothing_and_follows_no_link(tmp_path: Path) -> None:
    """Asterisk's user may plant something at the last moment."""
    goal, link = tmp_path / "goal", tmp_path / "link"
    goal.write_text("somebody else's")
    link.symlink_to(goal)
    (tmp_path / "nowhere").symlink_to(tmp_path / "made")
    for path in (goal, link, tmp_path / "nowhere"):
        with pytest.raises(FileExistsError):
            write_private(path, b"ours")
    assert goal.read_text() == "somebody else's"
    assert not (tmp_path / "made").exists()


# -- dying -------------------------------------------------------------------------------------


class Died(BaseException):
    """The power went."""


@pytest.fixture
def few_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One language of one prompt: each of an installation's steps is tried for itself."""
    every = catalogue.shipped_prompts()
    few = {key: every[key] for key in (("joined", "en"),)}
    monkeypatch.setattr(catalogue, "shipped_prompts", lambda: few)
    monkeypatch.setattr(installing_wanted, "render_for", lambda *_: "; our routines\n")


ANSWERS = Answers(name="Example", contact="privacy@example.jp", languages=("en",))


def install(host: Host) -> None:
    """By what was answered, or by what is there."""
    prepared(host).carry_out()


def prepared(host: Host) -> Any:
    site = InstalledSite(
        asterisk_root=host.root,
        asterisk_version=host.version,
        state=host.state,
        socket=host.state / "control.sock",
        units=host.directory / "units",
        user=str(os.getuid()),
        group=str(os.getgid()),
    )
    places = InstallPaths(etc=host.etc, site=site, administrator=invoking_user())
    found = find_asterisk(site.asterisk_conf, site.asterisk_root, site.asterisk_version)
    fresh = not host.config.exists()
    return prepare(ANSWERS if fresh else None, found, places)


CHANGES: tuple[tuple[Any, str], ...] = (
    (Path, "rename"),
    (Path, "mkdir"),
    (Path, "unlink"),
    (Path, "rmdir"),
    (os, "open"),
    (os, "fchmod"),
)
"""By what an installation changes a disk."""


def deaths(monkeypatch: pytest.MonkeyPatch, prepare: Callable[[], Any]) -> Iterator[Any]:
    """Carry something out and die right before its first change, then its second, and so on."""
    after = 0
    while True:
        prepared = prepare()
        if not _dies(monkeypatch, prepared.carry_out, after):
            return
        yield prepared
        after += 1


def _dies(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], after: int) -> bool:
    left = after

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def change(*args: Any, **options: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Died
            left -= 1
            return real(*args, **options)

        return change

    with monkeypatch.context() as patch:
        for owner, name in CHANGES:
            patch.setattr(owner, name, counted(getattr(owner, name)))
        try:
            act()
        except Died:
            return True
    return False


@pytest.mark.usefixtures("few_prompts")
def test_what_takes_the_place_of_a_file_at_the_last_moment_keeps_its_owner(tmp_path: Path) -> None:
    host = Host(tmp_path)
    install(host)
    host.config.chmod(0o600)
    goal = tmp_path / "goal"
    goal.write_text("somebody else's")
    goal.chmod(0o600)
    for plant in (host.config.hardlink_to, host.config.symlink_to):
        text = host.config.read_bytes()
        ready = prepared(host)
        host.config.unlink()
        plant(goal)
        with pytest.raises(InstallationFailed, match=host.config.name):
            ready.carry_out()
        assert goal.stat().st_mode & 0o777 == 0o600
        host.config.unlink()
        host.config.write_bytes(text)
        host.config.chmod(0o600)


@pytest.mark.slow
@pytest.mark.usefixtures("few_prompts")
def test_who_dies_while_he_installs_goes_on_by_a_second_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path)
    before = host.seen()
    install(host)
    whole = {path: seen[:2] for path, seen in host.seen().items()}
    uninstallation(host.manifest, host.config).carry_out()
    died = 0
    for _ in deaths(monkeypatch, lambda: prepared(host)):
        died += 1
        if host.manifest.exists() and died % 2:
            uninstallation(host.manifest, host.config).carry_out()
            assert host.seen() == before
            continue
        install(host)
        assert {path: seen[:2] for path, seen in host.seen().items()} == whole
        uninstallation(host.manifest, host.config).carry_out()
        assert host.seen() == before
    assert died > 60


@pytest.mark.usefixtures("few_prompts")
def test_who_dies_while_he_brings_it_up_to_date_goes_on_by_a_second_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path)
    before = host.seen()
    install(host)
    versions = count()

    def newer() -> Any:
        """As a version prepares it whose users of ARI are others."""
        text = f"; version {next(versions)}\n"
        with monkeypatch.context() as patch:
            patch.setattr(installing_wanted, "ari_user", lambda user, password: text)
            return prepared(host)

    died = 0
    for _ in deaths(monkeypatch, newer):
        died += 1
        newer().carry_out()
        text = (host.conf / "compliance-ari.conf").read_text()
        assert text == f"; version {next(versions) - 1}\n"
    assert died > 10
    uninstallation(host.manifest, host.config).carry_out()
    assert host.seen() == before


@pytest.mark.slow
@pytest.mark.usefixtures("few_prompts")
def test_who_dies_while_he_uninstalls_goes_on_by_a_second_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path)
    before = host.seen()

    def installed() -> Any:
        install(host)
        return uninstallation(host.manifest, host.config)

    died = 0
    for _ in deaths(monkeypatch, installed):
        died += 1
        if host.manifest.exists():
            uninstallation(host.manifest, host.config).carry_out()
        else:
            host.etc.rmdir()  # all that is left, and it is empty
        assert host.seen() == before
    assert host.seen() == before
    assert died > 10
