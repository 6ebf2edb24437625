"""Every folder of ``examples/``: its files in a real Asterisk, its calls placed, and judged."""

from __future__ import annotations

import pytest

from documented import ROOT
from lab.example import Example
from lab.parties import must_hold

pytestmark = pytest.mark.asterisk

FOLDERS = sorted(path.parent for path in ROOT.glob("examples/*/extensions.conf"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
async def test_an_example_does_what_it_says(folder):
    said: list[str] = []
    async with Example.open(folder, said.append) as example:
        for call in example.scenario.call:
            must_hold(*await example.place(call))
    assert said
