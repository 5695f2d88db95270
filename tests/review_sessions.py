"""Sessions made up for the review page: what is in them is known, and none needs a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pipeline import formats
from pipeline.records import About, Audio, Findings, Moment, Repair, Turn, Voice, Word
from pipeline.session import Problem

RATE_HZ = 16000
LINES = [
    ("therapist", "So, where would you like to begin today?"),
    ("client", "I don't know, really. It has been an ordinary week, I think, nothing much to report from my side."),
    ("therapist", "You look as if something is on your mind."),
    (
        "client",
        "Not particularly. It's fine. I've been sleeping a bit better since we moved the bed away from the window.",
    ),
    ("therapist", "Last time we said that we would talk about the letter to your brother."),
    ("client", "Yes. I started it twice. The first one sounded like a complaint to the landlord, so I threw it away."),
    ("therapist", "What happened with the second one?"),
    ("client", "I got as far as the summer we both worked at the mill, and then I had to stop, because I was crying."),
    ("therapist", "That sounds like an important place to have got to."),
    ("client", "Maybe. I did think about what you said, that there are things one can only say on paper at first."),
]
WITHDRAWING = [
    ("therapist", "What was it like for you when I had to move our appointment last week?"),
    ("client", "Fine."),
    ("therapist", "I wonder whether a part of you was put out by it."),
    ("client", "No, it's not a big deal. Whatever works for you."),
    ("therapist", "Hm. I notice that we have both gone a bit quiet, and I may have moved past something too quickly."),
    ("client", "Well. I did sit in the car park for a while before I drove home, if you want to know."),
]
CONFRONTING = [
    ("therapist", "I would like us to go back to the worksheet from last time."),
    ("client", "I don't see the point of these worksheets. You never look at them anyway."),
    ("therapist", "They are a part of how we work here, and most people find them useful."),
    ("client", "You are not listening to me. I came to talk about my brother, and you read from your list."),
    (
        "therapist",
        "You are right, I was pushing the sheet. I would like to hear about your brother. How was that just now?",
    ),
    ("client", "A bit like school, to be honest. But thank you for saying so."),
]


def build_turns(minutes: float) -> tuple[list[Turn], list[tuple[str, float, float]]]:
    """An invented conversation of this length, and (kind, start, end) of its planted moments."""
    turns: list[Turn] = []
    planted, at, k = [], 1.0, 0
    places = {0.18: WITHDRAWING, 0.41: CONFRONTING, 0.63: WITHDRAWING, 0.86: CONFRONTING}
    while at < minutes * 60 - 8:
        due = [share for share in places if at > share * minutes * 60]
        if due:
            lines, start = places.pop(due[0]), at
            for line in lines:
                at = _say(turns, line, at, 4.2 if line[1] == "Fine." else 0.6)
            planted.append(("withdrawal" if lines is WITHDRAWING else "confrontation", start, at))
        at = _say(turns, LINES[k % len(LINES)], at, 0.4 + 0.3 * (k % 4))
        k += 1
    return turns, planted


def _say(turns: list[Turn], line: tuple[str, str], at: float, wait_s: float) -> float:
    role, text = line
    start, words = at + wait_s, []
    clock = start
    for n, word in enumerate(text.split()):
        length = 0.12 + 0.045 * len(word)
        doubt = 0.3 if (len(turns) * 7 + n) % 23 == 0 else 0.93
        words.append(Word(round(clock, 3), round(clock + length, 3), word, doubt, f"speaker_{1 + (role == 'client')}"))
        clock += length + 0.06
    turns.append(Turn(words[0].start, words[-1].end, words[0].speaker, role, tuple(words)))
    return words[-1].end


def build_findings(turns: list[Turn], planted: list[tuple[str, float, float]]) -> Findings:
    markers = {"withdrawal": "wd_denial", "confrontation": "cf_complaint_activities"}
    moments, repairs = [], []
    for k, (kind, start, end) in enumerate(planted):
        inside = [turn for turn in turns if turn.start >= start and turn.end <= end + 0.1]
        attempt = inside[-2]
        repair = Repair(
            attempt.start,
            attempt.end,
            ("rs_disclose_experience",),
            "exploratory",
            "back near usual" if k % 2 else "partly",
            attempt.text,
        )
        repairs.append(repair)
        why = ("answers after 4.2 s; usual 0.9 s", "1 word in reply to an open question; usual 19")
        if kind == "confrontation":
            why = (
                "“You never look at them”: “you” meant for the therapist, 1 in this turn; usual 0.1",
                "strong words, 2 in this turn; usual 0.2",
            )
        against = ("the line before may be about arrangements",) if k == 0 else ()
        words = "\n".join(f"{turn.role}: {turn.text}" for turn in inside[:4])
        moments.append(
            Moment(
                inside[0].start,
                inside[3].end,
                inside[1].start,
                kind,
                markers[kind],
                3.0 - k,
                "stronger" if k % 2 else "some",
                why,
                against,
                words,
                (repair,),
            )
        )
    if turns and planted:
        clip = turns[len(turns) // 2 - 3 : len(turns) // 2]
        moments.append(
            Moment(
                clip[0].start,
                clip[-1].end,
                clip[1].start,
                "withdrawal",
                "",
                -9.0,
                "weak",
                (),
                (),
                "\n".join(f"{t.role}: {t.text}" for t in clip),
                (),
                True,
            )
        )
    return Findings(
        tuple(moments),
        tuple(repairs),
        () if planted else ("nothing crossed the line; this does not mean that there was no rupture",),
    )


def write_session(
    store: Path,
    key: str,
    minutes: float,
    *,
    clicks_s: tuple[float, ...] | None = None,
    notes: tuple[str, ...] = (),
    quiet: bool = False,
) -> Path:
    """A finished session in the store.

    clicks_s   with sound: a murmur wherever somebody talks, and a click at each of these times; None without sound
    quiet      nothing in it crosses the line, and there is no audit clip
    """
    folder = store / "sessions" / key
    (folder / "receipts").mkdir(parents=True)
    turns, planted = build_turns(minutes)
    found = build_findings(turns, [] if quiet else planted)
    found = Findings(found.moments, found.repairs, (*notes, *found.notes))
    voices = [
        Voice(turns[0].start, turns[-1].end, "speaker_1", "therapist", 0.96, 'Says "you" 30 and "I" 6 times.'),
        Voice(turns[1].start, turns[-1].end, "speaker_2", "client", 0.96, 'Says "you" 4 and "I" 55 times.'),
    ]
    recording = "" if clicks_s is None else str(store / "gone" / "Session of Thursday.mp4")
    minutes = max(minutes, (turns[-1].end + 1) / 60)  # the planted moments of a short one reach beyond it
    about = About(key, recording, minutes * 60)
    for name, value in {
        "about.json": about,
        "turns.jsonl": turns,
        "voices.jsonl": voices,
        "findings.json": found,
    }.items():
        (folder / name).write_bytes(formats.dump(name, value))
    if clicks_s is not None:
        (folder / "audio.flac").write_bytes(
            formats.dump("audio.flac", Audio(build_sound(turns, minutes, clicks_s)[None], RATE_HZ))
        )
    return folder


def build_sound(turns: list[Turn], minutes: float, clicks_s: tuple[float, ...]) -> np.ndarray:
    """A murmur under every word and a click of 2 ms at each time: float32, shape (n,)."""
    rng = np.random.default_rng(0)
    sound = np.zeros(round(minutes * 60 * RATE_HZ), dtype=np.float32)
    murmur = np.convolve(rng.normal(size=4 * RATE_HZ), np.ones(12) / 12, "same").astype(np.float32)
    for turn in turns:
        for word in turn.words:
            low, high = (round(t * RATE_HZ) for t in (word.start, word.end))
            piece = sound[low:high]
            piece += 0.25 * murmur[: len(piece)] * np.hanning(len(piece)).astype(np.float32)
    for at in clicks_s:
        sound[max(0, round((at - 0.4) * RATE_HZ)) : round((at + 0.4) * RATE_HZ)] = 0.0
        sound[round(at * RATE_HZ) : round((at + 0.002) * RATE_HZ)] = 0.95
    return sound


def write_stopped(store: Path, key: str) -> Path:
    """A session that stopped, with the reason."""
    folder = store / "sessions" / key
    folder.mkdir(parents=True)
    (folder / "about.json").write_bytes(formats.dump("about.json", About(key, "/nowhere/Tuesday.mp3", 0.0)))
    problem = Problem("audio", "no-audio-track", "the recording holds no sound", "record again with a microphone")
    (folder / "problem.json").write_text(json.dumps(problem.__dict__))
    return folder
