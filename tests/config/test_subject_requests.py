"""``[answers]`` and ``[hearing]``: what a person gets who asked, and how."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from asterisk_compliance.app.checks.storage import hearing_findings
from asterisk_compliance.app.policy.prompts import said_by
from asterisk_compliance.config.subject_requests import Directions
from asterisk_compliance.shipped import catalogue
from sample_settings import accepted, another, problems, raw, settings

SOUNDS = Path(str(catalogue.sounds()))


def test_without_the_table_nobody_hears() -> None:
    read = accepted(raw())
    assert read.hearing is None
    assert read.answers.directions is Directions.OWN
    assert said_by(read.asterisk[0], read, []) == {}


def test_an_empty_table_is_enough() -> None:
    read = settings(hearing={})
    assert read.hearing is not None
    assert read.hearing.directory_path == Path("/dev/shm/asterisk-compliance")
    assert read.hearing.languages == ("ja", "en")


def test_the_service_may_see_the_directory_elsewhere() -> None:
    read = settings(hearing={"directory": "/memory", "directory_here": "/srv/root/memory"})
    assert read.hearing is not None
    assert read.hearing.directory_path == Path("/srv/root/memory")


@pytest.mark.parametrize(
    ("table", "address"),
    [
        ({"directory": "/with space"}, "hearing.directory"),
        ({"directory": "memory"}, "hearing.directory"),
        ({"languages": []}, "hearing.languages"),
        ({"languages": ["ja", "ja"]}, "hearing"),
        ({"code_digits": 7}, "hearing.code_digits"),
        ({"attempts": 0}, "hearing.attempts"),
        ({"begins_max": 0}, "hearing.begins_max"),
        ({"expires_h": 721}, "hearing.expires_h"),
        ({"lockout_min": 0}, "hearing.lockout_min"),
        ({"prompts": {"code": "../x"}}, "hearing.prompts.code"),
        ({"code": "1234"}, "hearing.code"),
    ],
)
def test_what_is_wrong_is_said_with_its_address(table: dict[str, Any], address: str) -> None:
    (problem,) = problems(raw() | {"hearing": table})
    assert problem.startswith(f"{address}: ")


def test_whose_voice_is_one_of_two() -> None:
    (problem,) = problems(raw() | {"answers": {"directions": "mine"}})
    assert problem.startswith("answers.directions: ")


def with_sounds(directory: Path, **hearing: Any) -> Any:
    asterisk = raw()["asterisk"][0] | {"sounds": str(directory)}
    return settings(asterisk=[asterisk], hearing=hearing)


def test_the_shipped_prompts_will_do() -> None:
    wrong: list[str] = []
    read = with_sounds(SOUNDS)
    said = said_by(read.asterisk[0], read, wrong)
    assert wrong == []
    assert list(said) == ["ja", "en"]
    assert said["en"].code.media == f"sound:{SOUNDS}/en/hearing-code"
    assert said["ja"].ends.length_ms == 3_400


def test_each_prompt_that_is_missing_is_named(tmp_path: Path) -> None:
    shutil.copytree(SOUNDS / "en", tmp_path / "en")
    (tmp_path / "en/hearing-wrong.wav").unlink()
    wrong: list[str] = []
    read = with_sounds(tmp_path, languages=["en"])
    assert said_by(read.asterisk[0], read, wrong) == {}
    (one,) = wrong
    assert one.startswith("hearing.prompts.wrong: ")


def test_nobody_hears_over_an_asterisk_without_ari() -> None:
    asterisk = raw()["asterisk"][0] | {"sounds": str(SOUNDS)}
    without = another(sounds=str(SOUNDS), ari=None, agi={})
    read = settings(asterisk=[asterisk, without], hearing={})
    assert said_by(read.asterisk[1], read, []) == {}
    assert problems(raw() | {"asterisk": [without], "hearing": {}}) == [
        "hearing: needs [asterisk.ari]"
    ]


def test_check_looks_at_the_directory(tmp_path: Path) -> None:
    def found(directory: Path) -> list[str]:
        read = settings(hearing={"directory": str(directory)})
        return [one.what for one in hearing_findings(read)]

    assert list(hearing_findings(settings())) == []
    (what,) = found(tmp_path / "lent")
    assert "not be in memory" in what
    with TemporaryDirectory(dir="/dev/shm", prefix="compliance-test-") as memory:
        assert found(Path(memory)) == []
        (what,) = found(Path(memory) / "lent")
        assert what.startswith("it is not there")
