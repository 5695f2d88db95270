"""What every column of the three tables means: unit, definition, source, and what it cannot tell.

`attune features --describe` prints it. A column without a row here, or a row without a column, is an error in the
tests.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.features import entrainment
from pipeline.features.baseline import FLOORS
from pipeline.features.language import SHARES
from pipeline.features.usual import LATENCY_Z, TIMING_Z, VOICE_Z
from pipeline.features.wordlists import load_lists


@dataclass(frozen=True)
class Column:
    """One column. `cannot_tell` is what a reader might take from it and should not."""

    table: str
    name: str
    unit: str
    definition: str
    source: str
    cannot_tell: str


ASR = "recogniser or given transcript"
WHO = "diarizer and roles"
OURS = "this program"
PRAAT = "Praat by parselmouth"
LIBROSA = "librosa"

Row = tuple[str, str, str, str, str]  # the fields of Column but its table


def _shares() -> list[Row]:
    lists = load_lists("en") or {}
    cannot = "what is meant: a list word can be used in any way"
    return [
        (f"{name}_share", "share of words", f"words on the list '{name.replace('_', ' ')}'", lists[name].source, cannot)
        for name in SHARES
    ]


def _zs() -> list[Row]:
    rows = []
    for name, z in {**VOICE_Z, **TIMING_Z, "log_latency": LATENCY_Z}.items():
        meaning = (
            f"{name} against the same person's other turns of this session, those 60 s or more away: (x - median) / "
            f"max(1.4826 MAD, {FLOORS[name]:g}), clipped to 4 either way{', detrended' if name in VOICE_Z else ''}"
        )
        rows.append((z, "robust z", meaning, "robust z; floors ours", "good or bad; anything across sessions"))
    return rows


def _entrainment() -> list[Row]:
    cannot = "good or bad: published signs differ, and nothing is built on it"
    rows = []
    for name, measure in entrainment.MEASURES.items():
        meaning = f"rank correlation of {measure} between a turn and the one it answers, 8 pairs or more; 5-minute bins"
        rows.append((f"{name}_entrainment", "-1 to 1", meaning, "Spearman's rank correlation", cannot))
        by_chance = "its 95th percentile with the pairs shuffled"
        rows.append((f"{name}_entrainment_shuffled", "-1 to 1", by_chance, OURS, cannot))
    return rows


_TIMES = (
    ("start", "s", "where it begins, from the start of the recording", WHO, "-"),
    ("end", "s", "where it ends; not part of it any more", WHO, "-"),
)

_FRAMES = (
    *_TIMES,
    ("speaker", "name", "who speaks, the first to begin where two do; empty where nobody does", WHO,
     "who speaks second in overlap"),
    ("role", "word", "therapist, client or other; empty where nobody speaks", WHO, "whether the roles are right"),
    ("overlap", "yes/no", "two or more people speak", WHO, "overlap shorter than the diarizer hears"),
    ("measured", "yes/no", "somebody speaks, and nobody whose voice may not be measured", OURS, "-"),
    ("voiced", "yes/no", "the measured person's vocal folds vibrate", PRAAT, "whisper and creak count as unvoiced"),
    ("f0_hz", "Hz", "pitch of the one measured person who speaks, searched in that person's own range; octave jumps of "
     "under 0.12 s moved back", "Boersma 1993; range after De Looze and Hirst 2008", "a mood; anything in overlap"),
    ("hnr_db", "dB", "harmonics over noise, from the height of the autocorrelation peak", "Boersma 1993",
     "hoarseness apart from a noisy room or a far microphone"),
    ("intensity_db", "dB re full scale", "level, Gaussian window of 32 ms", PRAAT,
     "loudness across recordings; distance from the microphone"),
    ("spectral_centroid_hz", "Hz", "centre of gravity of the spectrum", LIBROSA, "voice apart from room and codec"),
    ("spectral_rolloff_hz", "Hz", "85 % of the spectrum's magnitude lies below", LIBROSA,
     "voice apart from room and codec"),
    ("spectral_flatness", "0-1", "1 for noise, near 0 for a tone", LIBROSA, "breath apart from background noise"),
    ("onset_strength", "dB",
     "mean rise of 40 mel bands since the frame before", LIBROSA, "syllables apart from knocks"),
    ("clipped", "share", "samples at 0.99 of full scale or above, in the worst channel", OURS,
     "clipping before a volume control"),
    ("dropout", "yes/no", "digital standstill of 20 ms to 2 s that cuts sound off on both sides", OURS,
     "losses that software has filled in"),
)  # fmt: skip

_TURNS = (
    *_TIMES,
    ("turn", "index", "place in the list of turns, from 0", OURS, "-"),
    ("speaker", "name", "who speaks", WHO, "-"),
    ("role", "word", "therapist, client or other", WHO, "whether the roles are right"),
    ("backchannel", "yes/no", "a listening sound while the other holds the floor", WHO,
     "listening sounds that the recogniser leaves out"),
    ("duration_s", "s", "end - start, pauses included", WHO, "-"),
    ("words", "count", "words in the turn", ASR, "words that were not recognised"),
    ("word_confidence", "0-1", "mean confidence of the words; 1 in a given transcript", ASR, "whether a word is right"),
    ("words_per_min", "words/min",
     "speech rate: words over the turn's length, pauses included; 3 words and 1 s or more",
     ASR, "rate apart from unrecognised words"),
    ("latency_s", "s",
     "start minus the end of the other's turn before; negative in overlap; missing for the first turn, "
     "after one's own turn, for a backchannel and after a break of 60 s", "Heldner and Edlund 2010",
     "why somebody waits; network delay of 0.1 to 0.4 s in remote sessions"),
    ("answers", "word", "kind of the turn that this one answers: open question, closed question, reflection, statement",
     "form of the words, ours", "what was meant; irony; rhetorical questions"),
    ("answers_turn", "index", "which turn latency_s is counted from; -1 for none", OURS, "-"),
    ("pause_before_s", "s", "silence before the turn, whoever spoke last", WHO, "-"),
    ("overlap_s", "s", "seconds of the turn during which the other's earlier turn goes on", WHO,
     "overlap shorter than the diarizer hears"),
    ("overlap", "word", "by form: backchannel; interruption (over 0.5 s), holder yields or goes on; collaborative "
     "(shorter, and takes the floor)", OURS, "hostility: much overlap is a lively style"),
    ("pauses", "count", "silences of 0.25 s or more inside the turn", "Goldman-Eisler 1968",
     "pauses apart from words that were not heard"),
    ("pause_s", "s", "their seconds", "Goldman-Eisler 1968", "thinking apart from hesitating"),
    ("longest_pause_s", "s", "the longest of them", "Goldman-Eisler 1968", "thinking apart from hesitating"),
    ("pause_share", "share", "pause_s of the turn; turns of 1 s or more", "Goldman-Eisler 1968",
     "thinking apart from hesitating"),
    ("voiced_s", "s", "voiced sound while nobody else speaks", PRAAT, "-"),
    ("voiced_share", "share", "voiced frames among those in which the person is heard; pitch needs 0.40", PRAAT,
     "whisper apart from noise"),
    ("pitch_hz", "Hz", "median F0", PRAAT, "a mood"),
    ("pitch_st", "semitones", "pitch_hz over the person's median of the session", PRAAT, "a mood"),
    ("pitch_range_st", "semitones", "from the 5th to the 95th percentile of F0", PRAAT,
     "lively apart from tense; longer turns reach further"),
    ("pitch_slope_st_per_s", "semitones/s", "least-squares slope of F0 over the turn, from 1 s", PRAAT,
     "questions apart from statements"),
    ("level_db", "dB", "median level of voiced frames over the person's median in the 5 minutes around", PRAAT,
     "loudness where a platform evens it out"),
    ("level_range_db", "dB", "from the 5th to the 95th percentile of voiced level", PRAAT, "-"),
    ("articulation_syll_per_s", "syllables/s", "syllable nuclei for each second of speech without pauses, from 1 s",
     "De Jong and Wempe 2009", "haste; the count misses weak syllables"),
    ("hnr_db", "dB", "mean harmonics-to-noise ratio of voiced frames", "Boersma 1993",
     "hoarseness apart from a noisy room or a far microphone"),
    ("spectral_centroid_hz", "Hz", "median centre of gravity of the spectrum in voiced frames", LIBROSA,
     "effort apart from turning the head"),
    ("jitter_percent", "%", "mean difference of neighbouring periods; the longest piece alone, at most 10 s", PRAAT,
     "anything with a far microphone; health"),
    ("shimmer_percent", "%", "mean difference of neighbouring peak amplitudes; same piece", PRAAT,
     "anything with a far microphone; health"),
    ("cpp_db", "dB", "smoothed cepstral peak prominence; same piece", PRAAT, "health"),
    ("language_lists", "word", "whether there are word lists for the language", OURS, "-"),
    ("asks", "word", "what the turn asks: open question, closed question, reflection, statement",
     "form of the words, ours",
     "what was meant; irony; rhetorical questions"),
    *_shares(),
    ("you_therapist", "count", "you, neither generic nor in reported speech: meant for the listener", OURS,
     "you of people in general without a set phrase"),
    ("you_generic", "count", "you in a set phrase such as 'you know', 'when you'", OURS, "when such a you is meant"),
    ("you_quoted", "count", "you in quotation marks or within six words after a verb of saying", OURS,
     "reported speech without such a verb"),
    ("reported_speech", "count", "verbs of saying, and quotations", OURS, "reported speech without such a verb"),
    ("fillers", "count", "um, uh, er and the like", OURS, "all of them: recognisers leave out or add fillers"),
    ("repetitions", "count", "a word or pair of words said twice running, agreement not counted", OURS,
     "repetition for emphasis; recognisers tidy repetitions away"),
    ("false_starts", "count", "words broken off, where the transcript shows a dash or dots", OURS,
     "most of them: recognisers tidy false starts away"),
    ("laughter_read", "count", "laughter written in the transcript; uncertain", OURS,
     "laughter that is heard but not written; whose, or why"),
    ("lexical_variety", "0-1", "different words in each 20 running, averaged; turns of 20 words or more",
     "moving-average type-token ratio, Covington and McFall 2010", "education apart from topic"),
    ("similarity_other", "0-1", "cosine of content words, tf-idf, with the other's last two turns", "lexical, ours",
     "the same thought in other words"),
    ("similarity_topic", "0-1", "the same with everything said before in the session", "lexical, ours",
     "the same thought in other words; early turns score low"),
    ("agreement_only", "yes/no", "nothing but tokens of agreement and fillers", OURS, "sincere apart from polite"),
    ("log_words", "log words", "log(1 + words), which is what is compared", OURS, "-"),
    ("log_latency", "log s",
     "log(1 + latency_s), an overlap counting as no wait, which is what is compared", OURS, "-"),
    *_zs(),
    ("usual_pitch_range_st", "semitones", "the person's usual pitch_range_st away from this turn", OURS, "-"),
    ("usual_articulation_syll_per_s", "syllables/s",
     "the person's usual articulation rate away from this turn", OURS, "-"),
    ("usual_words", "words", "the person's usual number of words away from this turn", OURS, "-"),
    ("usual_latency_s", "s", "the person's usual wait away from this turn", OURS, "-"),
    ("usual_latency_of", "words",
     "what that usual rests on: replies to the same kind of turn from 10 on, or all replies",
     OURS, "-"),
    ("voice_baseline", "words", "why the z of level is missing, for instance 'baseline too short: 2.1 min'", OURS, "-"),
    ("timing_baseline", "words", "why the z of words is missing", OURS, "-"),
)  # fmt: skip

_WINDOWS = (
    *_TIMES,
    ("kind", "word", "30 s or 60 s (every 5 s), 5 min, or minute", OURS, "-"),
    ("phase", "word", "opening or closing where the middle lies in the first or last three minutes; else middle", OURS,
     "where the arrangements really end"),
    ("client_talk_s", "s", "seconds of the client's turns", WHO, "-"),
    ("therapist_talk_s", "s", "seconds of the therapist's turns", WHO, "-"),
    ("client_floor_share", "share", "the client's part of all turns' seconds", WHO,
     "engagement: long stories can lead away from the work"),
    ("silence_s", "s", "silences between turns of 1.5 s to 60 s, the seconds that lie inside", WHO,
     "a heavy silence apart from a reflective one"),
    ("silence_broken_by_client_s", "s",
     "those that the client ends", WHO, "a heavy silence apart from a reflective one"),
    ("silence_broken_by_therapist_s", "s", "those that the therapist ends", WHO,
     "a heavy silence apart from a reflective one"),
    ("t_pause_t", "count", "silences of 1.5 s or more with the therapist before and after, that end here",
     "Kuensch et al. 2023", "a nod, or a client who writes"),
    ("longest_t_pause_t_s", "s", "the longest of them", "Kuensch et al. 2023", "a nod, or a client who writes"),
    ("client_turns", "count", "turns of the client that begin here, without backchannels", WHO, "-"),
    ("client_words_per_turn", "words", "their median", ASR, "-"),
    ("client_log_words_trend", "log words/turn", "their slope from turn to turn, from three turns on", OURS,
     "tiring apart from closing up"),
    ("minimal_replies", "count", "most minimal replies to open invitations among any three replies running", OURS,
     "a laconic style"),
    ("client_latency_s", "s", "median of latency_s in them", WHO, "why somebody waits"),
    ("interruptions", "count", "turns that begin here and interrupt, of anybody", OURS, "hostility"),
    ("overlap_s", "s", "overlap of the turns that begin here", WHO, "hostility"),
    ("client_pitch_st_z", "robust z", "median of the client's turns", OURS, "a mood"),
    ("client_pitch_range_st_z", "robust z", "median of the client's turns", OURS, "a mood"),
    ("client_level_db_z", "robust z", "median of the client's turns", OURS, "a mood"),
    ("client_articulation_rate_z", "robust z", "median of the client's turns", OURS, "a mood"),
    *_entrainment(),
    ("snr_db", "dB", "loud measured speech (80th percentile) over the room (median in the 5 minutes around)", OURS,
     "noise that is only there while somebody speaks"),
    ("clipped_share", "share", "speech frames with more than 1 % of samples at full scale", OURS,
     "clipping before a volume control"),
    ("dropout_s", "s", "speech that is cut out", OURS, "losses that software has filled in"),
    ("overlap_share", "share", "speech in which two or more people are heard: voices cannot be told apart there", WHO,
     "how alike two voices are"),
    ("word_confidence", "0-1", "mean confidence of the words that begin here", ASR, "whether a word is right"),
    ("grey", "yes/no", "too poor to say anything: neither raises nor lowers a moment", OURS, "-"),
    ("grey_why", "words", "which limit was passed, with the number", OURS, "-"),
)  # fmt: skip


def describe_columns() -> list[Column]:
    """Every column of frames, turns and windows, in the order of the tables."""
    tables = {"frames": _FRAMES, "turns": _TURNS, "windows": _WINDOWS}
    return [Column(table, *row) for table, rows in tables.items() for row in rows]
