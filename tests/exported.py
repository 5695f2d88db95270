"""A short invented session with a moment of each kind, and text meant to break formats."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from hypothesis import strategies as st

from pipeline.records import About, Findings, Moment, Repair, Turn, Voice, Word

NASTY = [
    "<script>alert(1)</script>",
    "</script></style><!-- & \"quoted\" 'plain'",
    "a --> b\n\n00:00:01.000 --> 00:00:02.000\nWEBVTT",
    "nul \x00 bell \x07 del \x7f c1 \x9f lone \ud800 non \uffff",
    "tab\there\r\nand\u2028there\x0b\x85",
    "=HYPERLINK(1)",
    "שלום \u202eabc\u202c مرحبا",
    "👩‍⚕️ naïve 日本語",
    "",
    "   ",
]
any_text = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=()), max_size=40))


def turn(start: float, role: str, text: str, *, backchannel: bool = False, word_s: float = 0.3) -> Turn:
    words = tuple(
        Word(start + k * word_s, start + (k + 1) * word_s - 0.05, word, 0.3 if word == "mumble" else 0.9)
        for k, word in enumerate(text.split(" "))
    )
    return Turn(start, words[-1].end, role[:1].upper(), role, words, backchannel)


TURNS = [
    turn(1.0, "therapist", "How was the week, since we last met?"),
    turn(4.0, "client", "Good, I mumble think. I wrote to my sister."),
    turn(8.0, "therapist", "And what was that like for you?"),
    turn(15.0, "client", "It was fine."),
    turn(15.2, "therapist", "Mm.", backchannel=True),
    turn(18.0, "therapist", "I wonder whether I went too fast there?"),
    turn(22.0, "client", "A bit, yes. I did not want to say so."),
    turn(27.0, "other", "Sorry, is this room taken?"),
]
REPAIR = Repair(18.0, 20.4, ("rs_invite_feelings",), "exploratory", "back near usual", "I wonder whether", "a note")
LONELY = Repair(27.0, 28.0, ("rs_rationale", "rs_change_task_goal"), "both", "cannot tell", "Sorry")
WITHDRAWAL = Moment(
    start=8.0,
    end=15.9,
    peak=15.5,
    kind="withdrawal",
    marker="wd_denial",
    score=0.8126,
    band="stronger",
    why=("reply after 4.8 s; usual 0.9 s",),
    against=("=talk about times",),
    words="therapist: And what was that like for you?\nclient: It was fine.",
    repairs=(REPAIR,),
)
CONFRONTATION = replace(
    WITHDRAWAL, start=1.0, end=6.2, peak=5.0, kind="confrontation", marker="cf_defend_self", score=-0.2, repairs=()
)
AUDIT = Moment(22.0, 25.0, 24.0, "withdrawal", "", -9.0, "weak", (), (), "client: the audited words", (), True)
FINDINGS = Findings((WITHDRAWAL, CONFRONTATION, AUDIT), (REPAIR, LONELY), ("please confirm who is the therapist",))
ABOUT = About("7c120c39db3e", "/clinic/tape & <one>.mp4", 40.0)
VOICES = [Voice(1.0, 20.0, "T", "therapist", 0.6, "asks"), Voice(4.0, 25.0, "C", "client", 0.9, "tells")]
TABLE = pd.DataFrame({"start": [t.start for t in TURNS], "latency_s": [float("nan")] + [0.5] * 7, "held": [True] * 8})


def spoken_session(text: str) -> tuple[list[Turn], Findings, About, list[Voice]]:
    words = (Word(1.0, 1.2, text, 0.2), Word(1.2, 1.4, "kept"))
    turns = [Turn(0.0, 0.5, text, "other", words), Turn(1.0, 2.0, text, "client", words)]
    repair = Repair(1.5, 1.9, (text,), "immediate", "not seen", text, text)
    moment = replace(WITHDRAWAL, start=0.0, end=2.0, peak=1.0, marker=text, why=(text,), against=(text,), words=text)
    findings = Findings((replace(moment, repairs=(repair,)),), (repair,), (text,))
    return turns, findings, About("0", f"/{text}.mp4", 3.0), [Voice(0.0, 2.0, text, "client", 0.5, text)]
