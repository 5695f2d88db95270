"""Who speaks when: anonymous speakers for the stretches in which somebody speaks.

The default engine cuts the speech into windows of 1.5 s, hears each window's voice (CAM++ embeddings), groups the
windows by k-means, then learns the difference between *these* people from those windows and goes over the speech again
in steps of 0.1 s, changing speaker where the voice changes and rather at a pause than inside a phrase. Over five
clinician-patient interviews (RES0199, 0203, 0206, 0209, 0217) with Whisper base's words, 0.5 % of the words and 9 of 92
turns of three words or fewer go to the wrong person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.intervals import HasTimes, Span, gaps, merge, overlap_s
from pipeline.records import DOUBTFUL, Activity, AttuneError, Audio, Given, Speech

if TYPE_CHECKING:
    import numpy as np

SAME_VOICE = 0.78  # cosine of two groups' mean embeddings above which they are one person: halves of one person's
# speech reach 0.82-0.94, two people 0.22-0.67 (six interviews, whole or cut to 30-90 s)
ALIKE = 0.65  # above this two people sound so alike that a person should check
LEAST_WINDOWS = 6  # fewer windows than this are too few to tell two people apart
STEP_S = 0.1  # the second pass decides this often
FINE_WINDOW_S = 0.4  # what the second pass hears around each step; with 0.6 more short replies are swallowed
SHARPNESS = 10.0  # scale of unit-length embeddings for the second pass's logistic regression
REGULARISATION = 0.01  # its C; 0.001 to 0.1 give the same words
CLEAR = 1.7  # log-odds for a voice at which its speech is as clear as any; the median of rightly given words is 2.3-2.9
CLEAR_WITHIN_S = 0.4  # heard this far to both sides, so that a step beside a change of speaker is less clear.
# With both, 7 of the 18 wrongly given words that a recogniser is sure of become doubtful, and 60 of the 6789 rightly
# given ones (five interviews, two acted sessions)
BOTH_AT_ONCE = 0.5  # confidence of the second voice where two speak at once: the two are heard as one sound


@dataclass(frozen=True)
class DiarizeOptions:
    """How speakers are told apart."""

    engine: str = "auto"  # "auto", "embeddings", "channels" or "pyannote"; auto takes the channels where two differ
    speakers: int = 2  # how many people speak; fewer are found where voices are the same
    overlap: bool = True  # keep talk of two at once as two stretches of speech
    window_s: float = 1.5  # what the first pass hears at once
    window_hop_s: float = 0.75  # from one window to the next
    switch_cost: float = 0.8  # log-odds against a change of speaker inside a phrase
    switch_at_pause_cost: float = 0.3  # the same at a pause
    pyannote_model: str = ""  # weights of a whole pyannote pipeline added by the clinic; "" builds one from the shipped


def diarize(
    audio: Audio | None, activity: list[Activity], given: list[Given] | None, options: DiarizeOptions
) -> list[Speech]:
    """Tell the speakers apart.

    audio     None for a session from a transcript alone
    activity  where somebody speaks, in order
    given     lines of a transcript or speaker file; where any names a speaker, the speakers are taken from there
    returns   stretches in order of start; two may overlap. Speakers are "speaker_1", "speaker_2" ... in the order in
              which they are first heard, or named as in `given`. No more than `options.speakers`, fewer where voices
              are the same; empty where nobody speaks. The default engine cuts a stretch where its voice becomes
              doubtful or clear again.
    raises    AttuneError for an unknown engine or a number of speakers below 1
    """
    _check_options(options)
    if given and any(line.speaker for line in given):
        return _from_given(given)
    if audio is None:
        return [Speech(span.start, span.end, "speaker_1") for span in merge(given or activity)]
    if not activity:
        return []
    return _in_order(ENGINES[options.engine](audio, activity, options))


def diarize_models(options: DiarizeOptions, given: list[Given] | None) -> tuple[str, ...]:
    """Names of the weights needed: none where `given` names the speakers."""
    if given and any(line.speaker for line in given):
        return ()
    if options.engine == "pyannote":
        return (options.pyannote_model,) if options.pyannote_model else ("segmentation-3.0", "campplus")
    return ("campplus",)


def _check_options(options: DiarizeOptions) -> None:
    if options.engine not in ENGINES:
        raise AttuneError(
            f"setting engine in [speech] is {options.engine!r}; known: {', '.join(ENGINES)}",
            mend="use one of these names in the settings file",
            code="settings-value",
        )
    if options.speakers < 1:
        raise AttuneError(
            f"setting speakers in [speech] is {options.speakers}; at least one person speaks",
            mend="set it to the number of people in the room",
            code="settings-value",
        )


def _from_given(given: Sequence[Given]) -> list[Speech]:
    """Lines that name a speaker; those of one speaker that touch or overlap become one."""
    names = dict.fromkeys(line.speaker for line in given if line.speaker)
    speech = [
        Speech(span.start, span.end, name)
        for name in names
        for span in merge(line for line in given if line.speaker == name)
    ]
    return sorted(speech, key=lambda s: (s.start, s.end, s.speaker))


def _in_order(speech: Sequence[Speech]) -> list[Speech]:
    """Sorted, with the speakers renamed in the order in which they are first heard."""
    ordered = sorted(speech, key=lambda s: (s.start, s.end, s.speaker))
    names = {old: f"speaker_{i}" for i, old in enumerate(dict.fromkeys(s.speaker for s in ordered), start=1)}
    return [replace(s, speaker=names[s.speaker]) for s in ordered]


def _by_embeddings(audio: Audio, activity: Sequence[Activity], options: DiarizeOptions) -> list[Speech]:
    from pipeline.speech.engines import campplus

    regions = merge(activity)
    windows = [w for region in regions for w in cut_windows(region, options.window_s, options.window_hop_s)]
    steps = [step for region in regions for step in cut_steps(region, STEP_S)]
    heard = campplus.embed_windows(audio.mono, [*windows, *(_around(step, region) for step, region in steps)])
    labels = cluster_windows(heard[: len(windows)], [w.end - w.start for w in windows], options.speakers)
    if max(labels) == 0:
        return [Speech(region.start, region.end, "0") for region in regions]
    evidence = learn_voices(heard[: len(windows)], labels, heard[len(windows) :])
    path = smooth([s for s, _ in steps], evidence, options)
    return build_speech([s for s, _ in steps], path, evidence, activity if options.overlap else [])


def cut_windows(region: HasTimes, window_s: float, hop_s: float) -> list[Span]:
    """Windows that cover the region, the last one flush with its end; a short region is one window."""
    length = region.end - region.start
    if length <= window_s:
        return [Span(region.start, region.end)]
    count = int(-(-(length - window_s) // hop_s)) + 1
    starts = [min(region.start + i * hop_s, region.end - window_s) for i in range(count)]
    return [Span(start, start + window_s) for start in starts]


def cut_steps(region: HasTimes, step_s: float) -> list[tuple[Span, HasTimes]]:
    """Equal steps of about `step_s` that tile the region, each with the region."""
    count = max(1, round((region.end - region.start) / step_s))
    edges = [region.start + (region.end - region.start) * i / count for i in range(count)] + [region.end]
    return [(Span(a, b), region) for a, b in pairwise(edges)]


def _around(step: Span, region: HasTimes) -> Span:
    """`FINE_WINDOW_S` around the step, moved to stay inside its region, so that no pause or neighbour is heard."""
    middle = (step.start + step.end) / 2
    start = max(region.start, min(middle - FINE_WINDOW_S / 2, region.end - FINE_WINDOW_S))
    return Span(start, min(region.end, start + FINE_WINDOW_S))


def cluster_windows(embeddings: np.ndarray, seconds: Sequence[float], speakers: int) -> list[int]:
    """Which voice each window holds: labels from 0, at most `speakers` of them.

    Groups whose mean voices are closer than `SAME_VOICE` are one person; fewer than `LEAST_WINDOWS` windows too.
    """
    from sklearn.cluster import KMeans

    if speakers == 1 or len(embeddings) < max(LEAST_WINDOWS, speakers):
        return [0] * len(embeddings)
    centred = _unit(embeddings - _mean(embeddings, seconds))
    groups = KMeans(speakers, n_init=10, random_state=0).fit(centred, sample_weight=seconds)
    return _join_same(embeddings, seconds, groups.labels_.tolist())


def _join_same(embeddings: np.ndarray, seconds: Sequence[float], labels: list[int]) -> list[int]:
    while len(set(labels)) > 1:
        closeness, a, b = closest_voices(embeddings, seconds, labels)
        if closeness < SAME_VOICE:
            break
        labels = [a if label == b else label for label in labels]
    numbers = {label: i for i, label in enumerate(sorted(set(labels)))}
    return [numbers[label] for label in labels]


def closest_voices(embeddings: np.ndarray, seconds: Sequence[float], labels: Sequence[int]) -> tuple[float, int, int]:
    """The two groups of windows that sound most alike: (cosine of their mean voices, label, label).

    Above `ALIKE` a person should check who is who. Needs at least two labels.
    """
    import numpy as np

    names = sorted(set(labels))
    unit, weight, label = _unit(embeddings), np.asarray(seconds), np.asarray(labels)
    means = _unit(np.stack([_mean(unit[label == name], weight[label == name]) for name in names]))
    pairs = [(float(means[i] @ means[j]), names[i], names[j]) for i in range(len(names)) for j in range(i)]
    closeness, b, a = max(pairs)
    return closeness, a, b


def learn_voices(windows: np.ndarray, labels: Sequence[int], steps: np.ndarray) -> np.ndarray:
    """Log-probability of each voice at each step, from what the labelled windows teach: (steps, voices)."""
    from sklearn.linear_model import LogisticRegression

    middle = windows.mean(0)
    model = LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=1000)
    model.fit(_unit(windows - middle) * SHARPNESS, labels)
    return model.predict_log_proba(_unit(steps - middle) * SHARPNESS)


def smooth(steps: Sequence[Span], evidence: np.ndarray, options: DiarizeOptions) -> list[int]:
    """The likeliest sequence of voices, where every change costs: less after a pause (Viterbi)."""
    import numpy as np

    share = STEP_S / FINE_WINDOW_S * 3  # neighbouring steps hear much the same sound; a third of that is news
    total, back = evidence[0] * share, []
    for i in range(1, len(steps)):
        pause = steps[i].start > steps[i - 1].end
        cost = options.switch_at_pause_cost if pause else options.switch_cost
        best = int(np.argmax(total))
        stay = total >= total[best] - cost
        back.append(np.where(stay, np.arange(len(total)), best))
        total = np.maximum(total, total[best] - cost) + evidence[i] * share
    path = [int(np.argmax(total))]
    for pointer in reversed(back):
        path.append(int(pointer[path[-1]]))
    return path[::-1]


def measure_clarity(steps: Sequence[Span], path: Sequence[int], evidence: np.ndarray) -> np.ndarray:
    """How clearly each step is the voice it was given to: (steps,), 0 to 1.

    The log-odds of that voice over the next likeliest, averaged `CLEAR_WITHIN_S` to both sides, in units of `CLEAR`.
    """
    import numpy as np

    middle = np.array([(step.start + step.end) / 2 for step in steps])
    first = np.searchsorted(middle, middle - CLEAR_WITHIN_S)
    last = np.searchsorted(middle, middle + CLEAR_WITHIN_S, side="right")
    total = np.concatenate([np.zeros((1, evidence.shape[1])), np.cumsum(evidence, axis=0)])
    around = (total[last] - total[first]) / (last - first)[:, None]
    own = np.arange(len(path)), np.asarray(path)
    others = around.copy()
    others[own] = -np.inf
    return np.clip((around[own] - others.max(1)) / CLEAR, 0.0, 1.0)


def build_speech(
    steps: Sequence[Span], path: Sequence[int], evidence: np.ndarray, activity: Sequence[Activity]
) -> list[Speech]:
    """Steps in a row of one voice as one stretch; where two speak at once, the next likeliest voice as well.

    A stretch ends too where the voice becomes doubtful or clear again.
    """
    clarity = measure_clarity(steps, path, evidence)
    speech: list[Speech] = []
    first = 0
    for i in range(1, len(steps) + 1):
        if i == len(steps) or _parts(steps, path, clarity, i):
            mean = round(float(clarity[first:i].mean()), 3)
            speech.append(Speech(steps[first].start, steps[i - 1].end, str(path[first]), mean))
            first = i
    for both in (a for a in activity if a.people > 1):
        inside = [i for i, step in enumerate(steps) if overlap_s(step, both) > 0]
        second = str(_second_voice(evidence[inside], [path[i] for i in inside]))
        own = [s for s in speech if s.speaker == second]
        speech += [Speech(span.start, span.end, second, BOTH_AT_ONCE) for span in gaps(own, both)]
    return speech


def _parts(steps: Sequence[Span], path: Sequence[int], clarity: np.ndarray, i: int) -> bool:
    """Whether step `i` begins another stretch than the step before it is in."""
    doubt_changes = (clarity[i] < DOUBTFUL) != (clarity[i - 1] < DOUBTFUL)
    return path[i] != path[i - 1] or steps[i].start > steps[i - 1].end or bool(doubt_changes)


def _second_voice(evidence: np.ndarray, path: Sequence[int]) -> int:
    """The likeliest voice other than the one that mostly holds the path."""
    main = max(sorted(set(path)), key=list(path).count)
    means = evidence.mean(0)
    return max((k for k in range(len(means)) if k != main), key=lambda k: means[k])


def _by_channels(audio: Audio, activity: Sequence[Activity], options: DiarizeOptions) -> list[Speech]:
    """One person a channel; the mix where the channels do not differ."""
    from pipeline.speech.engines import channels

    found = channels.diarize(audio, activity, options.overlap)
    return _by_embeddings(audio, activity, options) if found is None else found


def _by_pyannote(audio: Audio, activity: Sequence[Activity], options: DiarizeOptions) -> list[Speech]:
    from pipeline.speech.engines import pyannote

    return pyannote.diarize(audio, options.speakers, options.pyannote_model, options.overlap)


ENGINES: dict[str, Callable[[Audio, Sequence[Activity], DiarizeOptions], list[Speech]]] = {
    "auto": _by_channels,
    "embeddings": _by_embeddings,
    "channels": _by_channels,
    "pyannote": _by_pyannote,
}


def _mean(rows: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    import numpy as np

    return np.average(rows, axis=0, weights=weights)


def _unit(rows: np.ndarray) -> np.ndarray:
    import numpy as np

    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)
