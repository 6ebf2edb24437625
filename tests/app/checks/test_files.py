"""Owners and modes, on files that are there; each finding is made, and none without its fault."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from asterisk_compliance.age import new_identity
from asterisk_compliance.app.checks import files as module
from asterisk_compliance.app.checks.files import file_findings
from asterisk_compliance.app.checks.finding import SiteFindingId as It
from asterisk_compliance.app.shared.service_account import ServiceAccount, service_account
from asterisk_compliance.config.settings import Settings
from sample_settings import raw, settings

SERVICE, GROUP, STRANGER = 64_177, 64_178, 64_179


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Everything as ``docs/wiring.md`` has it, where every user gets to."""
    with tempfile.TemporaryDirectory(prefix="compliance-files-") as name:
        home = Path(name)
        home.chmod(0o755)
        modes = {"store": 0o700, "vault": 0o700, "spool": 0o2770, "sounds": 0o755, "etc": 0o755}
        for directory, mode in {**modes, "sounds/ja": 0o755}.items():
            (home / directory).mkdir()
            (home / directory).chmod(mode)
        for file in ("ari.secret", "compliance.toml"):
            (home / "etc" / file).write_text("secret")
            (home / "etc" / file).chmod(0o640)
        monkeypatch.chdir(home)
        yield home


def of(site: Path) -> Settings:
    (asterisk,) = raw()["asterisk"]
    asterisk |= {
        "spool": str(site / "spool"),
        "sounds": str(site / "sounds"),
        "ari": {"user": "c", "secret_file": str(site / "etc/ari.secret")},
    }
    return settings(
        asterisk=[asterisk],
        audit={"store": str(site / "store")},
        vault={"recordings": str(site / "vault"), "encryption": "off"},
    )


def found(site: Path) -> dict[str, str]:
    findings = file_findings(of(site), site / "etc/compliance.toml")
    return {str(one.id): one.address for one in findings if one.id is not It.SERVICE_MAY_NOT}


def denied(site: Path) -> list[str]:
    findings = file_findings(of(site), site / "etc/compliance.toml")
    return [one.address for one in findings if one.id is It.SERVICE_MAY_NOT]


def test_a_site_as_it_should_be(site: Path) -> None:
    assert found(site) == {}


@pytest.mark.parametrize(
    ("path", "mode", "ids"),
    [
        ("etc/ari.secret", 0o644, {It.SECRET_READABLE: "asterisk[1].ari.secret_file"}),
        ("etc/compliance.toml", 0o646, {It.CONFIG_WRITABLE: "etc/compliance.toml"}),
        ("etc", 0o777, {It.CONFIG_WRITABLE: "etc"}),
        ("store", 0o705, {It.STORAGE_OPEN: "audit.store"}),
        ("vault", 0o755, {It.STORAGE_OPEN: "vault.recordings"}),
        ("spool", 0o2771, {It.STORAGE_OPEN: "asterisk[1].spool"}),
        ("spool", 0o3770, {It.SPOOL_STICKY: "asterisk[1].spool"}),
        ("spool", 0o770, {It.SPOOL_NO_SETGID: "asterisk[1].spool"}),
        ("sounds", 0o777, {It.PROMPTS_WRITABLE: "asterisk[1].sounds"}),
        ("sounds/ja", 0o757, {It.PROMPTS_WRITABLE: "asterisk[1].sounds"}),
    ],
)
def test_a_mode_that_lets_others_in(site: Path, path: str, mode: int, ids: dict[str, str]) -> None:
    (site / path).chmod(mode)
    said = found(site)
    assert set(said) == set(ids)
    for which, where in ids.items():
        assert said[which].endswith(where)


def test_a_private_key_is_found_where_somebody_would_leave_it(site: Path) -> None:
    private, public = new_identity()
    (site / "etc/officer.key").write_text(f"# created today\n# public key: {public}\n{private}\n")
    assert found(site) == {It.PRIVATE_KEY_HERE: str(site / "etc/officer.key")}
    (site / "etc/officer.key").write_text(f"it begins with {private[:16]}, and this is none\n")
    assert found(site) == {}
    (site / "here.txt").write_text(private)  # where check is run
    assert found(site) == {It.PRIVATE_KEY_HERE: str(site / "here.txt")}
    (site / "here.txt").write_text("#" * 20_000 + f"\n{private}\n")  # no file of keys is so large
    assert found(site) == {}


def test_a_spool_on_another_host_tells_nobody_of_its_files(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "file_system", lambda device: "nfs4")
    assert found(site) == {It.SPOOL_REMOTE: "asterisk[1].spool"}


def test_what_the_service_s_user_may_not_is_said_to_whoever_asks(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He is in the group of these files, and root, who asks, may do everything."""
    group = (site / "etc/ari.secret").stat().st_gid
    account = ServiceAccount(STRANGER, frozenset({group}))
    monkeypatch.setattr(module, "service_account", lambda settings: account)
    assert denied(site) == []
    for path, mode, address in (
        ("etc/ari.secret", 0o600, "asterisk[1].ari.secret_file"),
        ("spool", 0o2750, "asterisk[1].spool"),
        ("sounds", 0o701, "asterisk[1].sounds"),
    ):
        before = (site / path).stat().st_mode
        (site / path).chmod(mode)
        assert denied(site) == [address]
        (site / path).chmod(before)
    (site / "etc").chmod(0o700)
    assert denied(site) == ["asterisk[1].ari.secret_file"]


def test_owner_group_and_others_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    owner = ServiceAccount(file.stat().st_uid, frozenset())
    if owner.uid == 0:
        os.chown(file, STRANGER, GROUP)
        owner = ServiceAccount(STRANGER, frozenset())
    group = ServiceAccount(SERVICE, frozenset({file.stat().st_gid}))
    other = ServiceAccount(SERVICE, frozenset())
    for mode, may in ((0o400, owner), (0o040, group), (0o004, other)):
        file.chmod(mode)
        assert may._one(file, os.R_OK)
        assert [one._one(file, os.R_OK) for one in (owner, group, other)].count(True) == 1
    assert ServiceAccount(0, frozenset())._one(file, os.W_OK)
    assert owner._one(tmp_path / "nothing", os.R_OK)  # of what is not there others speak


def test_who_the_service_is_the_store_tells(site: Path) -> None:
    assert service_account(settings(audit={"store": str(site / "none")})) is None
    account = service_account(of(site))
    assert account is not None
    assert account.uid == (site / "store").stat().st_uid
    assert (site / "store").stat().st_gid in account.gids
    assert ServiceAccount(SERVICE, frozenset()).name in {f"uid {SERVICE}", account.name}
