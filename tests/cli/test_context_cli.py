"""Which configuration a command reads where none is named."""

from __future__ import annotations

from pathlib import Path

from asterisk_compliance.cli.context import default_config


def test_here_comes_before_where_init_wrote_it(tmp_path: Path) -> None:
    here, installed = tmp_path / "here/compliance.toml", tmp_path / "etc/compliance.toml"
    here.parent.mkdir()
    assert default_config(here, installed) == here, "nobody ran init"
    installed.parent.mkdir()
    assert default_config(here, installed) == installed, "also where we may not look into it"
    here.touch()
    assert default_config(here, installed) == here
