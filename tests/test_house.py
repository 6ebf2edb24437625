"""The house: where modules are, what they are called, and that contracts cover all of them.

Each check is a function from a tree to the problems in it. The first test of each pair holds this
repository to it, the second one plants the problem in a small tree and sees it found.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import asterisk_compliance

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "asterisk_compliance"
MOST_MODULES = 16

STAND_ALONE = frozenset({"verify.py"})
"""It travels in evidence bundles without the package, so its names are its own."""

TERMS = frozenset(
    {
        "app/evidence/call_evidence.py",
        "cli/calls/past_calls.py",
        "storage/log/audit_log.py",
    }
)
"""Terms of the field that contain the word of their folder: without it they say less."""

WITHOUT_ROOMS = {
    "asterisk": "its wires are held apart by a contract of independence",
    "cli": "its folders are those of the capabilities, held by the contract about circles",
}
"""Layers with folders that no contract of layers puts in order, and why."""

BESIDE_MODULES = frozenset(
    {
        # what a program sees, whichever module it comes from
        "api/test_examples.py",
        "api/test_exports.py",
        # one behaviour of the service in which several modules take part
        "app/test_assembly.py",
        "app/calls/test_ami_late.py",
        "app/calls/test_overload.py",
        "app/service/test_reload.py",
        "app/service/test_several_asterisks.py",
        # the wires against a real Asterisk
        "asterisk/test_real_asterisk.py",
        "asterisk/test_real_legs.py",
        # properties of the state machine as a whole
        "domain/call/test_consent_matrix.py",
        "domain/call/test_legs_machine.py",
        "domain/call/test_legs_mutants.py",
        "domain/call/test_legs_order.py",
    }
)
"""Tests in the folder of a room that are about no single module of it."""

AT_THE_TOP = frozenset(
    {
        # modules at the top of the package, and data that it ships
        "test_age.py",
        "test_ids.py",
        "test_presets.py",
        "test_purposes.py",
        "test_sounds.py",
        # pages of the documentation
        "test_coverage_of_law.py",
        "test_docs.py",
        "test_docs_commands.py",
        "test_docs_installing.py",
        "test_docs_interface.py",
        "test_docs_observing.py",
        "test_docs_operating.py",
        "test_docs_pages.py",
        "test_docs_reconcile.py",
        "test_policies_page.py",
        "test_versions_page.py",
        # the repository: examples, benchmarks, the lab, the wheel, speed, and this file
        "test_benchmarks.py",
        "test_benchmarks_run.py",
        "test_examples.py",
        "test_hot_paths.py",
        "test_house.py",
        "test_lab_asterisk.py",
        "test_lab_audio.py",
        "test_lab_matrix.py",
        "test_lab_sip.py",
        "test_wheel.py",
    }
)


def modules(package: Path) -> Iterator[Path]:
    return (path for path in sorted(package.rglob("*.py")) if path.name != "__init__.py")


def crowded_folders(package: Path) -> list[str]:
    """Folders with more modules than a reader takes in at one look."""
    count: dict[str, int] = defaultdict(int)
    for path in modules(package):
        count[path.parent.relative_to(package).as_posix()] += 1
    return [f"{folder}: {number}" for folder, number in count.items() if number > MOST_MODULES]


def repeated_folder_names(package: Path) -> list[str]:
    """Modules whose name has the word of their folder in it."""
    return [
        path.relative_to(package).as_posix()
        for path in modules(package)
        if re.search(rf"(^|_){re.escape(path.parent.name)}(_|$)", path.stem)
    ]


def undescribed_packages(package: Path) -> list[str]:
    """Folders without a docstring of at least two sentences."""
    found = []
    for folder in (package, *sorted(path for path in package.rglob("*") if path.is_dir())):
        if not any(folder.glob("*.py")):
            continue
        init = folder / "__init__.py"
        text = ast.get_docstring(ast.parse(init.read_text("utf-8"))) if init.exists() else None
        if len(re.findall(r"\.(?=\s|$)", text or "")) < 2:
            found.append(folder.relative_to(package.parent).as_posix())
    return found


def defined_types(path: Path) -> Iterator[str]:
    """Public classes, protocols, and aliases of types of one module."""
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
                yield name
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Name(id="NewType"))
                | ast.Subscript(value=ast.Name(id="Annotated")),
            ):
                yield name


def ambiguous_types(package: Path) -> list[str]:
    """Public names of types that more than one module defines."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in modules(package):
        if path.name not in STAND_ALONE:
            for name in defined_types(path):
                if not name.startswith("_"):
                    found[name].append(path.relative_to(package).as_posix())
    return [f"{name}: {', '.join(where)}" for name, where in found.items() if len(where) > 1]


def misplaced_tests(tests: Path, package: Path) -> list[str]:
    """Tests in the folder of a room whose name begins with the name of no module there."""
    layers = {path.name for path in package.iterdir() if path.is_dir()}
    found = []
    for path in sorted(tests.rglob("test_*.py")):
        where = path.relative_to(tests)
        if where.parts[0] in layers:
            about = f"{path.stem.removeprefix('test_')}_"
            known = [module.stem for module in (package / where.parent).glob("*.py")]
            if not any(about.startswith(f"{name}_") for name in known):
                found.append(where.as_posix())
    return found


def uncovered_modules(package: Path, contracts: list[Mapping[str, Any]]) -> list[str]:
    """Children of a layered package that no contract names, and packages that have none."""
    found = []
    layered = [one for one in contracts if one["type"] == "layers"]
    held = {container for one in layered for container in one["containers"]}
    for one in layered:
        if not one.get("exhaustive"):
            found.append(f"not exhaustive: {one['name']}")
        named = {name.strip() for layer in one["layers"] for name in layer.split("|")}
        for container in one["containers"]:
            folder = package.parent.joinpath(*container.split("."))
            unnamed = children(folder) - named - {*one.get("exhaustive_ignores", ())}
            found += [f"in no layer: {container}.{child}" for child in sorted(unnamed)]
    for layer in sorted(children(package)):
        has_rooms = any((package / layer).glob("*/__init__.py"))
        if has_rooms and f"{package.name}.{layer}" not in held and layer not in WITHOUT_ROOMS:
            found.append(f"no contract for the rooms of {layer}")
    if package.name not in held:
        found.append(f"no contract for the layers of {package.name}")
    return found


def children(folder: Path) -> set[str]:
    inner = {path.parent.name for path in folder.glob("*/__init__.py")}
    return inner | {path.stem for path in folder.glob("*.py")} - {"__init__"}


def contracts_of(project: Path) -> list[Mapping[str, Any]]:
    found = tomllib.loads(project.read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert isinstance(found, list)
    return found


def tree(home: Path, files: Mapping[str, str]) -> Path:
    """Write modules, by their path without ``.py``."""
    for name, text in files.items():
        path = home / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return home


def test_a_folder_can_be_taken_in_at_one_look() -> None:
    assert crowded_folders(PACKAGE) == []


def test_no_module_repeats_the_name_of_its_folder() -> None:
    assert sorted(repeated_folder_names(PACKAGE)) == sorted(TERMS)


def test_every_package_says_what_lives_there_and_what_does_not() -> None:
    assert undescribed_packages(PACKAGE) == []


def test_a_public_type_name_has_one_meaning() -> None:
    assert ambiguous_types(PACKAGE) == []


def test_public_names_of_the_package_are_each_one_thing() -> None:
    values = [getattr(asterisk_compliance, name) for name in asterisk_compliance.__all__]
    assert len({id(value) for value in values}) == len(values)


def test_tests_are_where_their_module_is() -> None:
    assert set(misplaced_tests(ROOT / "tests", PACKAGE)) == BESIDE_MODULES


def test_what_is_at_the_top_of_the_tests_is_there_on_purpose() -> None:
    assert {path.name for path in (ROOT / "tests").glob("test_*.py")} == AT_THE_TOP


def test_contracts_cover_every_module() -> None:
    assert uncovered_modules(PACKAGE, contracts_of(ROOT / "pyproject.toml")) == []


def test_a_crowded_folder_is_found(tmp_path: Path) -> None:
    planted = tree(tmp_path, {f"app/one/m{number}": "" for number in range(16)})
    assert crowded_folders(planted) == []
    tree(tmp_path, {"app/one/more": ""})
    assert crowded_folders(planted) == ["app/one: 17"]


@pytest.mark.parametrize("name", ["policy", "policy_rules", "own_policy", "a_policy_b"])
def test_a_repeated_name_is_found(tmp_path: Path, name: str) -> None:
    planted = tree(tmp_path, {f"app/policy/{name}": "", "app/policy/policies": ""})
    assert repeated_folder_names(planted) == [f"app/policy/{name}.py"]


@pytest.mark.parametrize(
    "text", ["", '"""Rows."""', '"""Rows, in 1.5 s"""', "rows = 'One. Two.'\n"]
)
def test_an_undescribed_package_is_found(tmp_path: Path, text: str) -> None:
    described = '"""Rows. Their proofs are elsewhere."""'
    planted = tree(tmp_path / "a", {"__init__": described, "app/__init__": described})
    assert undescribed_packages(planted) == []
    tree(planted, {"app/__init__": text})
    assert undescribed_packages(planted) == ["a/app"]


def test_a_folder_without_init_is_undescribed(tmp_path: Path) -> None:
    planted = tree(tmp_path / "a", {"__init__": '"""Rows. No more."""', "app/rows": ""})
    assert undescribed_packages(planted) == ["a/app"]


@pytest.mark.parametrize(
    "text",
    [
        "class Row: ...",
        "Row: TypeAlias = int",
        'Row = NewType("Row", int)',
        "Row = Annotated[int, 1]",
    ],
)
def test_a_name_with_two_meanings_is_found(tmp_path: Path, text: str) -> None:
    planted = tree(
        tmp_path, {"a": "class Row: ...\nclass _Own: ...", "b": "class _Own: ...\nRow = 1"}
    )
    assert ambiguous_types(planted) == []
    tree(planted, {"c": text})
    assert ambiguous_types(planted) == ["Row: a.py, c.py"]


@pytest.mark.parametrize("name", ["app/test_row", "app/test_rowing", "app/audit/test_rows"])
def test_a_test_without_a_module_is_found(tmp_path: Path, name: str) -> None:
    package = tree(tmp_path / "package", {"app/rows": "", "app/audit/kinds": ""})
    tests = tree(
        tmp_path / "tests",
        dict.fromkeys(["app/test_rows", "app/test_rows_late", "e2e/test_all"], ""),
    )
    assert misplaced_tests(tests, package) == []
    tree(tests, {name: ""})
    assert misplaced_tests(tests, package) == [f"{name}.py"]


def house(home: Path) -> Path:
    files = ["__init__", "errors", "app/__init__", "app/one/__init__", "app/two"]
    return tree(home / "a", dict.fromkeys(files, ""))


LAYERS = {"name": "all", "type": "layers", "containers": ["a"], "exhaustive": True}
ROOMS = {"name": "app", "type": "layers", "containers": ["a.app"], "exhaustive": True}
KEPT = [LAYERS | {"layers": ["app", "errors"]}, ROOMS | {"layers": ["one | two"]}]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda: [KEPT[0] | {"layers": ["app"]}, KEPT[1]], "in no layer: a.errors"),
        (lambda: [KEPT[0], KEPT[1] | {"layers": ["one"]}], "in no layer: a.app.two"),
        (lambda: [KEPT[0], KEPT[1] | {"exhaustive": False}], "not exhaustive: app"),
        (lambda: KEPT[:1], "no contract for the rooms of app"),
        (lambda: KEPT[1:], "no contract for the layers of a"),
    ],
)
def test_a_module_that_no_contract_covers_is_found(
    tmp_path: Path, change: Callable[[], list[Mapping[str, Any]]], problem: str
) -> None:
    assert uncovered_modules(house(tmp_path), KEPT) == []
    assert uncovered_modules(house(tmp_path), change()) == [problem]
