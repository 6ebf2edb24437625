"""Runs schedules: one seed, one run, one list of findings."""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from simulation.home import Home
from simulation.oracle import Oracle
from simulation.schedule import Fault, Schedule, schedule
from simulation.site import Site
from simulation.stage import Stage
from simulation.story import Story

MEMORY = Path("/dev/shm")


class Simulation:
    """One process that runs schedules. Made by :func:`simulating`.

    Attributes:
        virtual_s, rows: So much was lived through, and written, in all runs.
        late: What was wrong until the next start of the service.
        last: The rows of the last run, without what is different in each.
    """

    def __init__(self, home: Home, stage: Stage) -> None:
        self._home, self._stage = home, stage
        self.virtual_s = 0.0
        self.rows = 0
        self.late: list[str] = []
        self.last: list[tuple[object, ...]] = []

    def run(self, seed: int, among: Iterable[Fault] = ()) -> list[str]:
        """What is wrong after the schedule of this seed, as sentences."""
        return self.play(schedule(seed, among))

    def play(self, plan: Schedule) -> list[str]:
        self._home.clean()
        site = Site(self._home.configuration, self._home.prompts, plan.seed)
        self._stage.site = site
        story = Story(site, plan)
        try:
            story.play()
            findings, may_be_late = self._looked_at(site, story)
            if findings and may_be_late:
                story.play_on()
                left, _ = self._looked_at(site, story)
                self.late += [one for one in findings if one not in left]
                findings = left
        except TimeoutError as error:
            findings = [f"it is never over: {error}"]
        finally:
            site.end()
        self.virtual_s += site.loop.now
        return findings

    def _looked_at(self, site: Site, story: Story) -> tuple[list[str], bool]:
        oracle = Oracle(site, story)
        found = oracle.look()
        self.rows += len(oracle.rows)
        self.last = [
            (row["at"], row["kind"], row["call"], sorted(row["detail"].items()))
            for row in oracle.rows
            if row["kind"] != "signing_key_set"
        ]
        return found, oracle.next_start_mends


@contextlib.contextmanager
def simulating() -> Iterator[Simulation]:
    """Set the stage; one at a time in a process."""
    parent = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="simulation-", dir=parent) as directory:
        home, stage = Home(Path(directory) / "home"), Stage()
        gc.collect()
        with stage.set_up():
            yield Simulation(home, stage)
