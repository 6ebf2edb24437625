"""The judge's own tests: known audio in, the known answer out, under what telephony does to it."""

from pathlib import Path

import numpy as np
import pytest

from lab.g711 import Pcm, alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from lab.hearing import (
    Capture,
    NoticeHeard,
    nothing_before_notice,
    notice_completed,
    notice_not_recorded,
    parties_recorded,
)
from lab.notice_search import NoticeSearch
from lab.picture import draw_call
from lab.prompt import synthetic_notice, write_notice
from lab.rtp import Heard, Packet, RtpStream
from lab.tone_spans import find_spans, presence
from lab.tones import (
    AGENT,
    AGENT2,
    CALLER,
    FRAME,
    LETTERS,
    OTHER,
    RATE,
    VOICES,
    Schedule,
)
from lab.wav import is_closed, read_wav, write_wav

EPOCH = 5000.0
NOTICE = synthetic_notice()
SEARCH = NoticeSearch(NOTICE)


def said(schedule: Schedule, start: float, end: float) -> Pcm:
    first = schedule.sample_at(start)
    return schedule.pcm(first, schedule.sample_at(end) - first)


def silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * RATE), np.int16)


def mixed(*parts: Pcm, gain: float = 1.0) -> Pcm:
    """The sum, through mu-law."""
    total = np.zeros(max(map(len, parts)))
    for part in parts:
        total[: len(part)] += part
    return ulaw_decode(ulaw_encode(np.clip(total * gain, -32768, 32767).astype(np.int16)))


# G.711


def test_known_values() -> None:
    assert ulaw_decode(b"\x00\x80\xff\x7f\x8f").tolist() == [-32124, 32124, 0, 0, 16764]
    assert alaw_decode(b"\xd5\x55\x2a\xaa").tolist() == [8, -8, -32256, 32256]


def test_every_byte_keeps_its_value_and_errors_stay_within_half_a_step() -> None:
    every = bytes(range(256))
    samples = np.arange(-32124, 32125, dtype=np.int16)
    for encode, decode, finest in ((ulaw_encode, ulaw_decode, 8), (alaw_encode, alaw_decode, 16)):
        assert (decode(encode(decode(every))) == decode(every)).all()
        error = np.abs(decode(encode(samples)).astype(int) - samples)
        assert (error <= np.maximum(finest, np.abs(samples.astype(int)) / 16 / 2 + finest)).all()


# WAV


def test_a_file_that_is_still_written_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "growing.wav"
    left, right = np.arange(100, dtype=np.int16), -np.arange(100, dtype=np.int16)
    write_wav(path, left, right)
    assert is_closed(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + bytes(4) + whole[44:] + b"x")
    assert not is_closed(path)
    channels = read_wav(path)
    assert [channel.tolist() for channel in channels] == [left.tolist(), right.tolist()]


def test_what_is_no_telephone_wav_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "not.wav"
    path.write_bytes(b"RIFFxxxxWAVE")
    with pytest.raises(ValueError, match="samples"):
        read_wav(path)
    path.write_bytes(b"hello")
    with pytest.raises(ValueError, match="not a WAV"):
        read_wav(path)


# Tones


def test_six_slots_name_a_place_and_alphabets_do_not_meet() -> None:
    words = {tuple(np.roll(LETTERS, -at)[:6]) for at in range(len(LETTERS))}
    assert len(words) == len(LETTERS) == 486
    assert (np.roll(LETTERS, 1) != LETTERS).all(), "no two neighbours are alike"
    assert len({hz for voice in VOICES for hz in voice.frequencies}) == 16


def test_a_tone_has_no_steps_and_little_below_1500_hz() -> None:
    pcm = Schedule(CALLER, EPOCH).pcm(0, 10 * RATE).astype(float)
    assert np.abs(np.diff(pcm)).max() < 6000 * 2 * np.pi * 2000 / RATE * 1.1
    power = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))) ** 2
    low = power[: 1500 * len(pcm) // RATE].sum() / power.sum()
    assert 10 * np.log10(low) < -30


@pytest.mark.parametrize("gain", [0.25, 1.0, 1.6])
@pytest.mark.parametrize("start", [0.0, 7.3214, 24.9])
def test_a_part_is_dated_in_a_mixture(start: float, gain: float) -> None:
    caller, agent = Schedule(CALLER, EPOCH), Schedule(AGENT, EPOCH + 0.0073)
    begin = EPOCH + 30 + start
    audio = mixed(said(caller, begin, begin + 3), said(agent, begin, begin + 3), gain=gain)
    for schedule in (caller, agent):
        (span,) = find_spans(audio, schedule, begin - 5, begin + 5)
        assert (span.start_s, span.end_s) == pytest.approx((0, 3), abs=0.01)
        assert (span.clock_start, span.clock_end) == pytest.approx((begin, begin + 3), abs=0.01)
    assert find_spans(audio, Schedule(AGENT2, EPOCH), begin - 5, begin + 5) == []
    assert presence(audio, CALLER)[1:-1].all()
    assert not presence(audio, OTHER).any()


def test_pauses_jumps_and_lost_frames_are_told_apart() -> None:
    caller, at = Schedule(CALLER, EPOCH), EPOCH + 14.34
    audio = np.concatenate(
        [
            silence(0.5),
            said(caller, at, at + 2),
            silence(1),  # muted: real time is kept
            said(caller, at + 3, at + 5),
            said(caller, at + 6.5, at + 8),  # a gap of 1.5 s is not in the file
        ]
    )
    for frame in (40, 61, 62, 200):
        audio[frame * FRAME : (frame + 1) * FRAME] = 0
    spans = find_spans(mixed(audio), caller, at - 2, at + 10)
    expected = [(0.5, 2.5, at), (3.5, 5.5, at + 3), (5.5, 7, at + 6.5)]
    for span, (start, end, clock) in zip(spans, expected, strict=True):
        assert (span.start_s, span.end_s) == pytest.approx((start, end), abs=0.015)
        assert span.clock_start == pytest.approx(clock, abs=0.01)


def test_half_a_second_is_enough_and_longer_than_the_period_is_no_riddle() -> None:
    caller, at = Schedule(CALLER, EPOCH), EPOCH + 3
    (short,) = find_spans(mixed(said(caller, at, at + 0.5)), caller, at - 10, at + 10)
    assert short.clock_start == pytest.approx(at, abs=0.01)
    (long,) = find_spans(mixed(said(caller, at, at + 60)), caller, at - 5, at + 65)
    assert long.clock_end == pytest.approx(at + 60, abs=0.01)


@pytest.mark.slow
def test_a_short_piece_with_a_lost_frame_is_dated_rightly_or_not_at_all() -> None:
    chance = np.random.default_rng(20)
    caller, dated = Schedule(CALLER, EPOCH), 0
    for _ in range(200):
        at, length = EPOCH + chance.uniform(5, 35), chance.uniform(0.3, 0.8)
        voice = said(caller, at, at + length)
        lost = int(chance.integers(len(voice) - FRAME))
        audio = np.concatenate([silence(0.4), np.delete(voice, np.s_[lost : lost + FRAME])])
        spans = find_spans(mixed(np.concatenate([audio, silence(1)])), caller, EPOCH, EPOCH + 48)
        dated += bool(spans)
        for span in spans:
            assert at - 0.03 < span.clock_start < span.clock_end < at + length + 0.03
    assert dated > 100


def test_no_tones_are_found_in_noise_or_in_a_notice() -> None:
    noise = np.random.default_rng(3).normal(0, 3000, 5 * RATE).astype(np.int16)
    for audio in (noise, synthetic_notice(5, 9), silence(3), silence(0)):
        for voice in VOICES:
            assert find_spans(audio, Schedule(voice, EPOCH), EPOCH, EPOCH + 9) == []
            assert presence(audio, voice).mean() < 0.05 if len(audio) else True


# Notice


@pytest.mark.parametrize("begin", [0.0, 0.13, 0.41, 0.8])
@pytest.mark.parametrize("gain", [0.25, 1.0])
def test_a_fifth_of_a_second_is_found_beneath_two_tones(begin: float, gain: float) -> None:
    tones = [said(Schedule(voice, EPOCH), EPOCH + 1, EPOCH + 9) for voice in (CALLER, AGENT)]
    part = NOTICE[round(begin * RATE) : round((begin + 0.2) * RATE)] * gain
    audio = mixed(*tones, np.concatenate([silence(3.2109), part]))
    (stretch,) = SEARCH.find(audio)
    assert stretch.at_s - stretch.notice_from_s == pytest.approx(3.2109 - begin, abs=0.002)
    assert stretch.notice_from_s == pytest.approx(begin, abs=0.05)
    assert stretch.notice_to_s == pytest.approx(begin + 0.2, abs=0.05)


def test_a_notice_is_not_found_where_there_is_none() -> None:
    tones = [said(Schedule(voice, EPOCH), EPOCH + 1, EPOCH + 9) for voice in VOICES[:2]]
    noise = np.random.default_rng(3).normal(0, 3000, 5 * RATE).astype(np.int16)
    others = [synthetic_notice(4, seed) for seed in range(2, 12)]
    for audio in (mixed(*tones), noise, silence(2), silence(0.01), *map(mixed, others)):
        assert SEARCH.find(audio) == []


def test_two_occurrences_are_two_stretches() -> None:
    audio = mixed(np.concatenate([silence(0.5), NOTICE, silence(0.7), NOTICE]))
    first, second = SEARCH.find(audio)
    assert (first.at_s, second.at_s) == pytest.approx((0.5, 2.2), abs=0.01)


def test_what_cannot_be_recognised_is_no_notice() -> None:
    with pytest.raises(ValueError, match="recognised"):
        NoticeSearch(silence(1))


def test_a_notice_is_completed_only_by_its_end() -> None:
    whole = Heard(mixed(np.concatenate([silence(0.3), NOTICE, silence(1)])), EPOCH)
    notice = NoticeHeard.of(SEARCH, whole)
    assert notice.completed
    assert notice.started_at == pytest.approx(EPOCH + 0.3, abs=0.03)
    assert notice.ended_at == pytest.approx(EPOCH + 1.3, abs=0.03)
    cut = NOTICE.copy()
    cut[-round(0.15 * RATE) :] = 0
    hole = NOTICE.copy()
    hole[3000:4200] = 0
    again = np.concatenate([NOTICE[: RATE // 2], silence(0.2), NOTICE[: RATE // 2]])
    stopped = np.concatenate([NOTICE[: RATE // 2], silence(0.5), NOTICE[RATE // 2 :]])
    for damaged in (cut, hole, again, stopped):
        notice = NoticeHeard.of(SEARCH, Heard(mixed(damaged), EPOCH))
        assert not notice.completed
        assert notice.started_at is not None
    held_up = np.concatenate([NOTICE[: RATE // 2], silence(0.1), NOTICE[RATE // 2 :]])
    notice = NoticeHeard.of(SEARCH, Heard(mixed(held_up), EPOCH))
    assert notice.completed
    assert notice.ended_at == pytest.approx(EPOCH + 1.1, abs=0.03)
    never = NoticeHeard.of(SEARCH, Heard(silence(2), EPOCH))
    assert never == NoticeHeard(False, None, None)
    assert not notice_completed(never).ok


# Recordings


class Call:
    """A call of which everything is known: a notice until ``told``, a recording from there."""

    caller, agent = Schedule(CALLER, EPOCH), Schedule(AGENT, EPOCH)
    began, told = EPOCH + 40, EPOCH + 42

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notice = NoticeHeard(True, self.told - 1, self.told)

    def judge(self, left: Pcm, right: Pcm) -> Capture:
        longest = max(len(left), len(right))
        sides = (np.pad(side, (0, longest - len(side))) for side in (left, right))
        write_wav(self.path, *map(mixed, sides))
        schedules = {"caller": self.caller, "agent": self.agent}
        return Capture.read(self.path, schedules, SEARCH, self.began, self.began + 20)

    def after(self, delay: float) -> tuple[Pcm, Pcm]:
        start, end = self.told + delay, self.told + 5
        return said(self.caller, start, end), said(self.agent, start, end)


@pytest.fixture
def call(tmp_path: Path) -> Call:
    return Call(tmp_path / "recording.wav")


def test_a_clean_recording_passes(call: Call) -> None:
    capture = call.judge(*call.after(0.0))
    claims = [nothing_before_notice(capture, call.notice), notice_not_recorded(capture)]
    claims += parties_recorded(capture, ["caller", "agent"])
    assert [claim for claim in claims if not claim.ok] == []
    assert capture.first_sample_at == pytest.approx(call.told, abs=0.01)
    assert capture.last_sample_at == pytest.approx(call.told + 5, abs=0.01)
    assert capture.length_s == pytest.approx(5)
    assert capture.silent_channels == ()


@pytest.mark.parametrize("channel", [0, 1])
def test_a_planted_tail_of_the_notice_is_found(call: Call, channel: int) -> None:
    sides = list(call.after(0.3))
    sides[channel] = np.concatenate([NOTICE[-RATE // 5 :], sides[channel]])
    capture = call.judge(sides[0], sides[1])
    claim = notice_not_recorded(capture)
    assert not claim.ok
    assert f"channel {channel}" in claim.measured


def test_a_tail_of_the_notice_under_the_voice_is_found(call: Call) -> None:
    left, right = call.after(0.0)
    right[: RATE // 5] += NOTICE[-RATE // 5 :]
    assert not notice_not_recorded(call.judge(left, right)).ok


@pytest.mark.parametrize("early_s", [0.06, 0.2, 1.0])
def test_a_sample_from_before_the_end_of_the_notice_is_found(call: Call, early_s: float) -> None:
    claim = nothing_before_notice(call.judge(*call.after(-early_s)), call.notice)
    assert not claim.ok
    assert float(claim.measured.split()[2]) == pytest.approx(-early_s, abs=0.01)


def test_a_piece_from_before_the_notice_pasted_in_front_is_found(call: Call) -> None:
    left, right = call.after(0.0)
    early = said(call.caller, call.told - 0.7, call.told - 0.4)
    capture = call.judge(np.concatenate([early, left]), right)
    assert not nothing_before_notice(capture, call.notice).ok


def test_a_piece_too_short_to_be_dated_is_not_passed_over(call: Call) -> None:
    left, right = call.after(0.0)
    early = said(call.caller, call.told - 1.7, call.told - 1.5)
    capture = call.judge(np.concatenate([early, silence(1), left]), right)
    claim = nothing_before_notice(capture, call.notice)
    assert not claim.ok
    assert "cannot be dated" in claim.measured


def test_a_recording_without_a_completed_notice_fails(call: Call) -> None:
    capture = call.judge(*call.after(0.0))
    assert not nothing_before_notice(capture, NoticeHeard(False, call.began, call.told)).ok


def test_a_party_in_the_other_channel_too_is_found(call: Call) -> None:
    left, right = call.after(0.0)
    capture = call.judge(left, right + left // 4)
    assert [claim.ok for claim in parties_recorded(capture, ["caller", "agent"])] == [False, True]


def test_a_silent_or_swapped_direction_is_found(call: Call) -> None:
    left, right = call.after(0.0)
    capture = call.judge(left, silence(5))
    assert capture.silent_channels == (1,)
    assert [claim.ok for claim in parties_recorded(capture, ["caller", "agent"])] == [True, False]
    swapped = call.judge(right, left)
    assert not any(claim.ok for claim in parties_recorded(swapped, ["caller", "agent"]))


@pytest.mark.parametrize("recorded", [True, False])
def test_a_call_can_be_drawn(call: Call, tmp_path: Path, recorded: bool) -> None:
    heard = Heard(mixed(np.concatenate([silence(1), NOTICE])), call.told - 2)
    capture = call.judge(*call.after(0.2)) if recorded else None
    picture = tmp_path / "call.png"
    moments = {"answered": call.told - 1.1}
    draw_call(picture, "A call", heard, call.notice, capture, call.began, moments)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_written_notice_is_the_one_that_is_looked_for(tmp_path: Path) -> None:
    pcm = write_notice(tmp_path / "notice.wav")
    assert (read_wav(tmp_path / "notice.wav")[0] == pcm).all()
    assert (pcm == NOTICE).all()


# What arrived


def arrived(*frames: tuple[float, int]) -> Heard:
    """Packets of one stream, each with its clock time and the number of its frame."""
    stream = RtpStream(Schedule(CALLER, EPOCH), 0, lambda: None)
    voice = NOTICE.reshape(-1, FRAME)
    stream.received = [
        Packet(EPOCH + at, 0, number, number * FRAME, 7, ulaw_encode(voice[number % len(voice)]))
        for at, number in frames
    ]
    return stream.heard()


async def test_packets_that_were_held_up_move_nothing() -> None:
    on_time = [(number * 0.02, number) for number in range(50)]
    late = [(max(at, 0.3 if at < 0.45 else 0.0), number) for at, number in on_time[8:]]
    assert (arrived(*on_time[:8], *late).pcm == arrived(*on_time).pcm).all()
    assert NoticeHeard.of(SEARCH, arrived(*on_time[:8], *late)).completed


async def test_a_stream_that_paused_goes_on_when_it_arrives() -> None:
    said_at = [(number * 0.02, number) for number in range(20)]
    after = [(1.5 + number * 0.02, number) for number in range(20, 45)]
    heard = arrived(*said_at, *after)
    assert not heard.pcm[round(0.41 * RATE) : round(1.49 * RATE)].any()
    assert heard.pcm[round(1.5 * RATE) :].any()
    assert len(heard.pcm) == round((1.5 + 45 * 0.02) * RATE)
