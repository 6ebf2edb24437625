"""Who is in the recordings of one call, in which channel, and at which times; from audio alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lab.hearing import Capture, NoticeHeard
from lab.leg import Leg
from lab.notice_search import NoticeSearch, Stretch
from lab.rtp import Heard
from lab.sip import Phone
from lab.site import Site, install_test_prompts
from lab.tone_spans import Span, find_spans
from lab.tones import AGENT, AGENT2, CALLER, OTHER, RATE, Schedule
from lab.wav import read_wav, write_wav

CALLERS, OTHERS = 0, 1
"""Channels of a recording."""
_JOIN_S = 0.045
"""Spans of a party that are closer than this are one: two lost frames."""
