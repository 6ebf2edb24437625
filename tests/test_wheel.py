"""The package: the same bytes whenever it is built, whole outside the checkout, its parts named."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from installed_host import Host, states

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[1]
NOTICES = CHECKOUT / "THIRD-PARTY-NOTICES.md"
WITHOUT_IMPORT = {"tzdata"}
"""Needed to run, and imported by the standard library alone."""


def script(name, *arguments, check=True):
    command = [sys.executable, CHECKOUT / "scripts" / name, *arguments]
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Where ``scripts/dist.py`` left what it made twice, the same both times."""
    directory = tmp_path_factory.mktemp("dist")
    script("dist.py", directory)
    return directory


@pytest.fixture(scope="module")
def command(built, tmp_path_factory):
    """``asterisk-compliance``, installed from the wheel into an environment of its own.

    Nothing is fetched: the dependencies are those of the environment that runs the tests, where
    our own package is the checkout, and so is not found.
    """
    directory = tmp_path_factory.mktemp("venv")
    venv.create(directory)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = directory / "lib" / version / "site-packages"
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", directory / "bin/python", "--quiet"]
    install = [*pip, "install", "--no-deps", "--no-index", "--ignore-installed", wheel]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    return directory / "bin/asterisk-compliance"


def run(command, *arguments, check=True, **environment):
    clean = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment}
    return subprocess.run(
        [command, *arguments],
        check=check,
        capture_output=True,
        text=True,
        cwd="/",
        env=clean,
        timeout=60,
    )


# -- installed ---------------------------------------------------------------------------------


def test_the_wheel_brings_all_it_needs(command, tmp_path):
    assert run(command, "--version").stdout.startswith("asterisk-compliance 0.")
    prompts = json.loads(run(command, "sounds", "list", "--json").stdout)
    assert {(p["id"], p["language"]) for p in prompts} >= {
        ("notice-standard", "ja"),
        ("notice-standard", "en"),
    }
    run(command, "sounds", "install", str(tmp_path))
    assert (tmp_path / "ja/notice-standard.wav16").stat().st_size > 100_000
    assert (
        run(command, "dialplan", "render").stdout
        == (CHECKOUT / "dialplan/compliance.conf").read_text()
    )
    assert "compliancesegment => D" in run(command, "dialplan", "features").stdout
    checked = run(command, "serve", "--config", "/nowhere.toml", check=False)
    assert checked.returncode == 2
    assert checked.stderr.startswith("error: /nowhere.toml")
    assert "hint:" in checked.stderr


def test_the_wheel_installs_beside_an_asterisk(command, tmp_path):
    host = Host(tmp_path)
    options = ["init", "--etc", host.etc, *host.options, "--yes", "--dry-run", "--json"]
    said = json.loads(run(command, *options).stdout)
    assert str(tmp_path / "units/asterisk-compliance.service") in states(said)
    assert set(states(said).values()) == {"new"}


def test_the_wheel_finds_the_purposes(command):
    python = command.with_name("python")
    program = (
        "import asterisk_compliance; from asterisk_compliance.shipped import catalogue;"
        "print(asterisk_compliance.__file__, len(catalogue.shipped_purposes()))"
    )
    file, purposes = run(python, "-c", program).stdout.split()
    assert Path(file).is_relative_to(command.parents[1]), "the wheel's, not the checkout's"
    assert purposes == "12"


# -- what is in it -----------------------------------------------------------------------------


def test_what_was_built_brings_its_licence_and_the_notices_of_others(built):
    (wheel,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (licences,) = {name.rpartition("/")[0] for name in names if name.endswith("/LICENSE")}
        assert archive.read(f"{licences}/{NOTICES.name}") == NOTICES.read_bytes()
        metadata = archive.read(f"{licences.rpartition('/')[0]}/METADATA").decode()
    assert "asterisk_compliance/sounds/LICENSES.md" in names
    assert not [name for name in names if name.startswith("tests/")]
    assert "License-Expression: Apache-2.0" in metadata
    assert "Description-Content-Type: text/markdown" in metadata
    with tarfile.open(source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "README.ja.md", NOTICES.name, "tests/lab/asterisk.py"} <= inside


def test_what_is_imported_is_declared_and_the_other_way_round():
    """Else it would come with something else by chance, and one day would not."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    declared = {re.match(r"[\w-]+", one)[0].lower() for one in project["dependencies"]}
    imported = {
        name.partition(".")[0]
        for path in (CHECKOUT / "asterisk_compliance").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    from_others = imported - sys.stdlib_module_names - {"asterisk_compliance"}
    brings = packages_distributions()
    needed = {name.lower().replace("_", "-") for one in from_others for name in brings[one]}
    assert needed == declared - WITHOUT_IMPORT


# -- the notices of others ---------------------------------------------------------------------


def test_the_notices_name_every_part_that_an_installation_brings():
    assert script("third_party_notices.py", "--check").stderr == ""


def test_a_part_without_its_notice_is_found(tmp_path):
    for name in ("scripts/third_party_notices.py", "pyproject.toml", "sounds/LICENSES.md"):
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text((CHECKOUT / name).read_text())
    shortened = re.sub(r"(?m)^\| aiosignal .*\n", "| left-pad | MIT | us |\n", NOTICES.read_text())
    (tmp_path / NOTICES.name).write_text(shortened)
    checked = subprocess.run(
        [sys.executable, tmp_path / "scripts/third_party_notices.py", "--check"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 1
    assert checked.stderr.splitlines() == [
        "error: aiosignal is needed, and not in THIRD-PARTY-NOTICES.md",
        "error: left-pad is in THIRD-PARTY-NOTICES.md, and not needed",
    ]


# -- completion --------------------------------------------------------------------------------

IN_BASH = """\
eval "$(asterisk-compliance --show-completion bash)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_asterisk_compliance_completion "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["re"], {"recordings", "reconcile", "requests", "retention"}),
        (["audit", "key", ""], {"show", "new", "rotate", "replace"}),
        (["audit", "list", "--"], {"--call", "--since", "--config", "--json"}),
        (["do-not-call", "a"], {"add"}),
    ],
)
def test_bash_completes_commands_and_options(command, words, some):
    arguments = ["--norc", "-c", IN_BASH, "bash", "asterisk-compliance", *words]
    path = f"{command.parent}:/usr/bin:/bin"
    offered = run("/bin/bash", *arguments, PATH=path, SHELL="/bin/bash").stdout.split()
    assert some <= set(offered)
    assert all(one.startswith(words[-1]) for one in offered)


@pytest.mark.parametrize(
    ("shell", "asked", "line"),
    [
        ("zsh", {}, '"--since":"From this time on'),
        ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}, "--since\tFrom this time on"),
    ],
)
def test_zsh_and_fish_complete_options_with_what_they_mean(command, shell, asked, line):
    asked = {**asked, "_ASTERISK_COMPLIANCE_COMPLETE": f"complete_{shell}"}
    said = run(command, **asked, _TYPER_COMPLETE_ARGS="asterisk-compliance audit list --")
    assert line in said.stdout
    asked["_ASTERISK_COMPLIANCE_COMPLETE"] = f"source_{shell}"
    assert f"_ASTERISK_COMPLIANCE_COMPLETE=complete_{shell}" in run(command, **asked).stdout
