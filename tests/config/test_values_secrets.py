"""Secrets come from files or the environment, and are never repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asterisk_compliance.config.settings import parse
from sample_settings import asterisk, problems, raw

SECRET = "correct-horse-battery"


def with_login(**login: Any) -> dict[str, Any]:
    value = asterisk(ari={"user": "compliance", **login})
    del value["asterisk"][0]["ami"]
    return value


def test_a_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARI_SECRET", SECRET)
    ari = parse(with_login(secret_env="ARI_SECRET")).asterisk[0].ari
    assert ari is not None
    assert ari.secret().get_secret_value() == SECRET
    assert SECRET not in repr(ari.secret())
    assert SECRET not in repr(ari)


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    ari = parse(with_login(secret_file=str(tmp_path / "secret"))).asterisk[0].ari
    assert ari is not None
    assert ari.secret().get_secret_value() == SECRET


@pytest.mark.parametrize("given_", [{}, {"secret_env": "E", "secret_file": "/run/secret"}])
def test_a_secret_needs_one_source(given_: dict[str, str]) -> None:
    (problem,) = problems(with_login(**given_), secrets=True)
    assert problem == "asterisk[1].ari: give either secret_file or secret_env"


def test_secrets_that_are_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("UNSET", raising=False)
    file = tmp_path / "secret"
    file.write_text("\n")
    for source, login in (
        ("$EMPTY", {"secret_env": "EMPTY"}),
        ("$UNSET", {"secret_env": "UNSET"}),
        (str(file), {"secret_file": str(file)}),
    ):
        (problem,) = problems(with_login(**login), secrets=True)
        assert problem == f"asterisk[1].ari: {source} is empty"


def test_a_secret_file_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    (problem,) = problems(with_login(secret_file=str(file)), secrets=True)
    assert problem == f"asterisk[1].ari: {file}: No such file or directory"


def test_a_secret_file_that_is_not_text_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xffsecret")
    (problem,) = problems(with_login(secret_file=str(file)), secrets=True)
    assert problem == f"asterisk[1].ari: {file}: is not UTF-8 text"


def test_both_logins_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARI_SECRET", raising=False)
    monkeypatch.delenv("AMI_SECRET", raising=False)
    assert problems(raw(), secrets=True) == [
        "asterisk[1].ari: $ARI_SECRET is empty",
        "asterisk[1].ami: $AMI_SECRET is empty",
    ]


def test_a_command_that_only_reads_needs_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARI_SECRET", raising=False)
    parse(raw(), secrets=False)
