"""The doctor beside a real Asterisk: silent where all is well, and on a broken site all of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass

import pytest

from asterisk_compliance.age import new_identity
from asterisk_compliance.app.checks.finding import SiteFindingId as It
from asterisk_compliance.app.checks.live import asterisks as module
from asterisk_compliance.app.checks.live.asterisks import live_findings
from asterisk_compliance.app.policy.configuration import load_configuration
from asterisk_compliance.domain.asterisk.version import Ability
from lab.site import EXTENSIONS, TEST_POLICIES, Site
from lab.versions import can, loses_audio

pytestmark = pytest.mark.asterisk

LIMIT_S = 60.0
WELL = """
[reconcile]
cdr = ["{cdr}"]
"""
BROKEN = """
spool_free_mib = 1000000
notices_max = 1000000
[reconcile]
cdr = ["/nowhere/Master.csv"]
[[purpose]]
code = "SERVICE"
retention = "1 year"
[[role]]
name = "nobody"
users = ["no-such-user"]
purposes = ["SERVICE"]
actions = ["ANSWER"]
[[rule]]
id = "over"
valid_to = 2020-01-01
[[rule]]
id = "elsewhere"
match = { country = ["DE"] }
"""
ARI_READ_ONLY = """
[general]
enabled = yes
[compliance]
type = user
read_only = yes
password_format = plain
password = {ari_password}
"""
TOO_MUCH = """
[general]
enabled = yes
bindaddr = 127.0.0.1
port = {ami_port}
[compliance]
secret = {ami_password}
read = all
write = call,system,command
"""
TOO_LITTLE = TOO_MUCH.replace("read = all", "read = call").replace(",system,command", "")
UNTOLD = """
[untold]
exten => 300,1,MixMonitor(a.wav)
"""


@dataclass(frozen=True, slots=True)
class Checked:
    """What ``check`` said."""

    status: int
    findings: list[dict[str, str]]
    said: str

    def ids(self, severity: str = "") -> set[str]:
        return {one["id"] for one in self.findings if severity in {"", one["severity"]}}

    def of(self, which: str) -> dict[str, str]:
        return next(one for one in self.findings if one["id"] == which)


async def checked(site: Site, *options: str) -> Checked:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "asterisk_compliance", "check", "--json", *options),
        *("--config", str(site.directory / "compliance.toml")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=site.directory,
    )
    async with asyncio.timeout(LIMIT_S):
        out, said = await process.communicate()
    assert process.returncode is not None
    return Checked(process.returncode, json.loads(out), said.decode())


async def reloaded(site: Site, name: str, text: str, command: str) -> None:
    asterisk = site.asterisk
    values = {
        "ari_password": asterisk.ari_password,
        "ami_password": asterisk.ami_password,
        "ami_port": asterisk.ami_port,
    }
    (asterisk.home / "etc" / name).write_text(text.format(**values))
    await asterisk.cli(command)


async def test_a_site_that_is_wired_well_and_then_is_not_any_more() -> None:
    """Not one error, the defect of this Asterisk seen and seen healed; then three things break."""
    site = await Site.open({}, limits=WELL.format(cdr="/nowhere"))
    async with site:
        config = site.directory / "compliance.toml"
        site.asterisk.cdr_file.touch()
        config.write_text(config.read_text().replace('"/nowhere"', f'"{site.asterisk.cdr_file}"'))
        well = await checked(site, "--self-test")
        assert (well.status, well.ids("error")) == (0, set()), well
        build = site.asterisk.build
        loses = loses_audio(build)
        older = set() if all(can(build, one) for one in Ability) else {It.ASTERISK_OLDER}
        assert (It.TRANSFER_HEALED in well.ids()) is loses
        assert well.ids() & {It.ASTERISK_OLDER} == older
        kinds = [row["kind"] for row in site.rows()]
        assert "canary_passed" in kinds
        assert "anomaly" not in kinds
        assert site.spooled() == []
        assert "user_event_of_no_call" not in site.service.words
        assert not [line for line in site.cdrs() if "compliance-check" in line]
        status = await site.service.status()
        assert status is not None
        assert status["ok"]

        notice = site.asterisk.sounds_here / "en/notice-test.wav"
        notice.rename(site.directory / "kept.wav")
        seen_here = site.directory / "sounds"
        for language in ("en", "ja"):
            (seen_here / language).mkdir(parents=True)
            (seen_here / language / notice.name).symlink_to(site.directory / "kept.wav")
        text = config.read_text()
        config.write_text(text.replace(str(site.asterisk.sounds_here), str(seen_here)))
        await reloaded(site, "features.conf", "[general]\n", "module reload features")
        await reloaded(site, "manager.conf", TOO_LITTLE, "manager reload")
        broken = await looked_at(site, self_test=True)
    lost = {It.TRANSFER_LOSES_AUDIO} if loses else set()
    assert set(broken) == lost | older | {
        *(It.PROMPT_NOT_PLAYABLE, It.SEGMENTS_NOT_WIRED, It.AMI_EVENTS_MISSING, It.CANARY_FAILED),
        It.AMI_UNFILTERED,
    }, broken
    assert "en/notice-test.wav" in broken[It.PROMPT_NOT_PLAYABLE]
    assert "ComplianceCheck" in broken[It.AMI_EVENTS_MISSING]
    assert "NO_NOTICE" in broken[It.CANARY_FAILED]


FAULTS = {
    # files
    It.SECRET_READABLE: "asterisk[1].ari.secret_file",
    It.CONFIG_WRITABLE: "compliance.toml",
    It.PRIVATE_KEY_HERE: "officer.key",
    "KEY_UNUSABLE": "audit.signing_key",
    It.STORAGE_OPEN: "asterisk[1].spool",
    It.SPOOL_STICKY: "asterisk[1].spool",
    It.SPOOL_NO_SETGID: "asterisk[1].spool",
    It.PROMPTS_WRITABLE: "asterisk[1].sounds",
    It.SERVICE_MAY_NOT: "asterisk[1].ami.secret_file",
    It.RECORDS_UNREADABLE: "reconcile.cdr",
    # settings
    It.RETENTION_CONFLICT: "policy[1]",
    It.DISK_FOR_LOAD: "asterisk[1].spool",
    It.MEMORY_FOR_LOAD: "limits.notices_max",
    "DISK_LOW": "asterisk[1].spool",
    "ENCRYPTION_OFF": "vault.encryption",
    "ACCOUNT_UNKNOWN": "role[1].users",
    "ROLE_IDLE": "role[1].actions",
    "RULE_ENDED": "rule[1]",
    "HOME_MISSING": "rules.home",
    "CHECKPOINTS_STAY_HERE": "audit.checkpoints_to",
    # the dialplan
    "DIALPLAN_RECORDED_UNTOLD": "extensions.conf",
    # Asterisk
    It.ARI_READ_ONLY: "asterisk[1].ari",
    It.MODULE_MISSING: "asterisk[1].ari",
    It.CALL_RECORDS_OFF: "asterisk[1].ari",
    It.AMI_RIGHTS_TOO_MANY: "asterisk[1].ami",
    It.AMI_UNFILTERED: "asterisk[1].ami",
    It.ROUTINES_OUTDATED: "asterisk[1]",
    It.SERVICE_DOWN: "service.socket",
    It.SELF_TEST_IMPOSSIBLE: "asterisk[1]",
}
"""What is broken, and where it has to be said."""


async def test_a_site_with_more_than_twenty_faults_has_each_of_them_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LISTEN_S", 0.0)
    policies = TEST_POLICIES.replace('"en", "ja"]\n', '"en", "ja"]\nretention_max_days = 30\n', 1)
    site = await Site.open(
        {}, extensions=EXTENSIONS + UNTOLD, policies=policies, limits=BROKEN, serve=False
    )
    async with site:
        asterisk = site.asterisk
        private = break_files(site)
        await reloaded(site, "ari.conf", ARI_READ_ONLY, "module reload res_ari")
        await reloaded(site, "manager.conf", TOO_MUCH, "manager reload")
        for name in ("cdr_csv", "app_playtones"):
            await asterisk.cli(f"module unload {name}.so")
        found = await checked(
            *(site, "--self-test", "--dialplan", str(asterisk.home / "etc/extensions.conf"))
        )
        await refused_and_empty(site)
    assert found.status == 1
    assert len(FAULTS) > 20
    missing = set(FAULTS) - found.ids()
    assert not missing, (missing, found.findings)
    for which, where in FAULTS.items():
        places = [one["address"] for one in found.findings if one["id"] == which]
        assert any(where in place for place in places), (which, places)
    assert all(one["todo"] for one in found.findings)
    assert "app_playtones" in found.of(It.MODULE_MISSING)["what"]
    assert "system" in found.of(It.AMI_RIGHTS_TOO_MANY)["what"]
    said = json.dumps(found.findings) + found.said
    secrets = (asterisk.ari_password, asterisk.ami_password, private)
    assert not [secret for secret in secrets if secret in said]


def break_files(site: Site) -> str:
    """Modes, owners and what was left behind, as it happens; returns the private key."""
    asterisk, state = site.asterisk, site.directory / "state"
    config, secrets, store = site.directory / "compliance.toml", state / "secrets", state / "store"
    store.mkdir(mode=0o700)
    owner = (secrets / "ari").stat()
    os.chown(store, owner.st_uid, owner.st_gid)
    (secrets / "ari").chmod(0o644)
    os.chown(secrets / "ami", 0, 0)
    config.write_text(config.read_text().replace("dialplan_s = 5.0", "dialplan_s = 6.0"))
    config.chmod(0o666)
    private, _ = new_identity()
    (site.directory / "officer.key").write_text(f"# the officer's\n{private}\n")
    (store / "signing.key").write_text("PRIVATE+KEY+nothing\n")
    (store / "signing.key").chmod(0o644)
    asterisk.spool_here.chmod(0o1777)
    (asterisk.sounds_here / "ja").chmod(0o777)
    return private


async def refused_and_empty(site: Site) -> None:
    """What hides the rest: routines that are not there, too few rights, a wrong secret."""
    await site.asterisk.reload_extensions("[nothing]\nexten => 1,1,Hangup()\n")
    await reloaded(site, "manager.conf", TOO_LITTLE, "manager reload")
    assert It.ROUTINES_NOT_LOADED in await looked_at(site)
    text = TOO_LITTLE.replace("write = call", "write = reporting")
    await reloaded(site, "manager.conf", text, "manager reload")
    assert It.AMI_RIGHTS_MISSING in await looked_at(site)
    for name in ("ari", "ami"):
        (site.directory / "state/secrets" / name).write_text("wrong")
    assert {It.ARI_REFUSES, It.AMI_REFUSES} <= set(await looked_at(site))
    await site.asterisk.kill()
    assert {It.ARI_UNREACHABLE, It.AMI_UNREACHABLE} <= set(await looked_at(site))


async def looked_at(site: Site, *, self_test: bool = False) -> dict[str, str]:
    """What Asterisk and the service give, by id, without a process of its own."""
    configuration = load_configuration(site.directory / "compliance.toml", secrets=False)
    return {
        str(one.id): one.what for one in await live_findings(configuration, self_test=self_test)
    }
