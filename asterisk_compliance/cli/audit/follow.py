"""``asterisk-compliance audit follow``: rows as they become durable, for a person or a program."""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress
from io import UnsupportedOperation
from itertools import islice
from types import FrameType, TracebackType
from typing import Annotated, Self

import typer

from asterisk_compliance.cli import output
from asterisk_compliance.cli.context import ConfigOption, JsonOption, StoreOption, store_directory
from asterisk_compliance.cli.row_lines import cells
from asterisk_compliance.storage.feeds.tail import follow
from asterisk_compliance.storage.log.reader import StoreReader

SHORTEST_POLL_S, LONGEST_POLL_S = 0.02, 60.0

_ENDING = (signal.SIGINT, signal.SIGTERM)


def follow_log(
    *,
    first: Annotated[
        int | None, typer.Option("--from", min=0, metavar="SEQ", help="Begin with this row.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many rows.")] = None,
    interval: Annotated[
        float,
        typer.Option(min=SHORTEST_POLL_S, max=LONGEST_POLL_S, help="Seconds between two looks."),
    ] = 0.2,
    json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Print rows as they become durable, until Ctrl-C, SIGTERM, or nobody reads them any more."""
    with StoreReader(store_directory(config, store)) as reader, _Attention() as attention:
        rows = follow(reader, first, lambda: attention.waits(interval))
        for row in islice(rows, limit):
            if not attention.is_wanted():
                return
            if json:
                output.print_raw([row.data])
            else:
                output.print_line("  ".join(str(cell or "-") for cell in cells(row)))
                sys.stdout.flush()


class _Attention:
    """Who wants the rows: ends at a signal between two lines, and when the reader is gone.

    The first signal is remembered, and ends the next wait; a second one ends the process.
    """

    def __init__(self) -> None:
        self._ended = False
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._poll = select.poll()
        self._poll.register(self._woken, select.POLLIN)
        self._out: int | None = None
        with suppress(UnsupportedOperation):
            self._out = sys.stdout.fileno()

    def waits(self, seconds: float) -> bool:
        """Let the time pass; whether more is wanted."""
        return self._watches(0, seconds)

    def is_wanted(self) -> bool:
        """Wait until a line can be written; whether it is still wanted."""
        return self._watches(select.POLLOUT, None)

    def _watches(self, wanted: int, seconds: float | None) -> bool:
        if self._out is None:
            seconds = seconds or 0.0
        else:
            self._poll.register(self._out, wanted)
        for file, event in self._poll.poll(None if seconds is None else seconds * 1_000):
            gone = file == self._out and event & (select.POLLERR | select.POLLHUP)
            self._ended = self._ended or bool(gone) or file == self._woken
        return not self._ended

    def __enter__(self) -> Self:
        self._before = [signal.signal(one, self._remember) for one in _ENDING]
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        return self

    def _remember(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(-1)
        for one, before in zip(_ENDING, self._before, strict=True):
            signal.signal(one, before)
        os.close(self._woken)
        os.close(self._wake)
