"""Where the runs of one process live: a configuration, short prompts, and an empty store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from asterisk_compliance.app.policy.configuration import Configuration, load_configuration
from asterisk_compliance.shipped import catalogue
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.recordings.assembly import wav_header
from simulation.schedule import NOTICE_S
from simulation.site import emptied

CONFIG = """
[controller]
name = "Example K.K."
contact = "privacy@example.jp"

[[asterisk]]
node = "pbx1"
spool = "{home}/spool"
sounds = "{home}/sounds"
staff = ["PJSIP/agent-*"]
ari = {{ user = "compliance", secret_file = "{home}/secret", reconnect_max_s = 1 }}
ami = {{ user = "compliance", secret_file = "{home}/secret", reconnect_max_s = 1 }}

[[notice]]
id = "standard"
version = "1"
purposes = ["SERVICE", "QUALITY"]
wording.ja = {{ prompt = "notice-standard", text = "{standard}" }}

[[notice]]
id = "asks"
version = "1"
purposes = ["SERVICE", "QUALITY"]
wording.ja = {{ prompt = "notice-opt-out", text = "{asks}" }}

{policies}

[limits]
dialplan_s = 20
notice_margin_s = 1
close_s = 2
stop_s = 1
store_s = 1
growth_s = 3

[audit]
store = "{home}/store"

[vault]
recordings = "{home}/recordings"
{vault}

[service]
socket = "{home}/run/control.sock"
"""

POLICIES = {
    "inbound": 'notice = "standard"\non_join = "renotify"',
    "early": 'notice = "standard"\ncapture = "from-notice"',
    "stops": 'notice = "standard"\non_join = "stop"',
    "asks": (
        'notice = "standard"\nnotice_opt_out = "asks"\nconsent = "opt-out"\ngrace_s = 0.3\n'
        'keys = { refuse = "9" }\non_refusal = "continue-unrecorded"'
    ),
}
PROMPTS = ("notice-standard", "notice-opt-out", "refused", "not-recorded", "required-here")


class Home:
    """A directory in memory, whose store is as new for each run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        emptied(directory)
        sound = np.full(int(NOTICE_S * 8_000), 3_000, "<i2")
        (directory / "sounds/ja").mkdir(parents=True)
        for name in PROMPTS:
            wav = wav_header(len(sound), 1) + sound.tobytes()
            (directory / f"sounds/ja/{name}.wav").write_bytes(wav)
        (directory / "secret").write_text("secret")
        (directory / "spool").mkdir()
        self.configuration = self._configuration()
        self.prompts = {f"sound:{directory}/sounds/ja/{name}": NOTICE_S for name in PROMPTS}
        self._new = directory / "new-store"
        StoreWriter.open(directory / "store").close()
        shutil.move(directory / "store", self._new)

    def _configuration(self) -> Configuration:
        said = {name: prompt.text for (name, lang), prompt in _shipped() if lang == "ja"}
        policies = "\n".join(
            f'[[policy]]\nname = "{name}"\nlanguages = ["ja"]\n{terms}\n'
            for name, terms in POLICIES.items()
        )
        text = CONFIG.format(
            home=self.directory,
            standard=said["notice-standard"],
            asks=said["notice-opt-out"],
            policies=policies,
            vault='encryption = "off"',
        )
        source = self.directory / "compliance.toml"
        source.write_text(text, "utf-8")
        return load_configuration(source)

    def clean(self) -> None:
        """Everything as before the first start."""
        emptied(self.directory / "spool")
        emptied(self.directory / "recordings")
        shutil.rmtree(self.directory / "store", ignore_errors=True)
        shutil.copytree(self._new, self.directory / "store")

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)


def _shipped() -> Iterator[tuple[tuple[str, str], catalogue.ShippedPrompt]]:
    yield from catalogue.shipped_prompts().items()
