"""A file that Asterisk would play in a prompt's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.policy.test_prompts import loaded, problems, sounds, write_prompt

__all__ = ["sounds"]


@pytest.mark.parametrize("file", ["ja/notice-standard.wav", "ja_JP/notice-standard.gsm"])
def test_a_file_that_asterisk_would_play_instead_is_refused(sounds: Path, file: str) -> None:
    """It looks into a directory of the channel's language first, below any path."""
    instead = write_prompt(sounds / "ja" / file)
    language = file.partition("/")[0]
    assert problems(sounds) == [
        f"notice[1].wording.ja.prompt: {instead} is played in its place to channels in {language}"
    ]


def test_a_directory_that_is_no_language_is_no_harm(sounds: Path) -> None:
    write_prompt(sounds / "ja/old-ones/notice-standard.wav")
    loaded(sounds)
