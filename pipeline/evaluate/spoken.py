"""What moments lose when a script is heard instead of read: the same scripts, spoken, through the real engines.

Recordings lie in one folder: `ID.flac` (or another container) and `ID.turns.json`, where each turn of the script lies
in the sound; `python sample_audio/speak_scripts.py` makes both. The written side is judged on the script's own turns;
the spoken side on what was heard, its roles found by the program, against the coded events at their places in the
sound. Heads that have seen the script's author judge neither.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.alliance import heads, train
from pipeline.alliance.markers import MarkersOptions, find_markers
from pipeline.alliance.moments import MomentsOptions, find_moments
from pipeline.alliance.scripts import Script, load_scripts
from pipeline.evaluate import moments as written
from pipeline.evaluate.scripts import Judges, build_voice_table, load_near_misses
from pipeline.records import AttuneError, Turn
from pipeline.session import open_session, run_one
from pipeline.settings import Tables
from pipeline.steps import STEPS, TURN_TABLE, TURNS, VOICES, WINDOWS

MOST_LOST = 5.0  # points that precision and recall at 5 may lose
LOSSES = ("precision_at_5", "recall_at_5", "family_right", "repairs_found", "repairs_linked")
NOT_SOUND = (".json", ".rttm", ".txt", ".stm")


@dataclass(frozen=True)
class Pair:
    """A script and the recording of it."""

    script: Script
    recording: Path
    times: Path


def find_pairs(scripts: Sequence[Script], recordings: Path) -> list[Pair]:
    """The scripts that were spoken.

    raises   AttuneError when there is none
    """
    pairs = []
    for script in scripts:
        times = recordings / f"{script.id}.turns.json"
        sound = next((p for p in sorted(recordings.glob(f"{script.id}.*")) if p.suffix not in NOT_SOUND), None)
        if sound is not None and times.is_file():
            pairs.append(Pair(script, sound, times))
    if not pairs:
        raise AttuneError(
            "no script of the folder has a recording beside its turns",
            mend="make them with: python sample_audio/speak_scripts.py SCRIPTS RECORDINGS",
            code="no-recordings",
        )
    return pairs


def at_times(script: Script, rows: Sequence[dict]) -> Script:
    """The script with its turns where they lie in the recording; a turn without sound lies at the end of the one
    before it."""
    heard = {row["turn"]: (float(row["start"]), float(row["end"])) for row in rows}
    turns: list[Turn] = []
    end = 0.0
    for i, turn in enumerate(script.turns):
        start, end = heard.get(i, (end, end))
        turns.append(replace(turn, start=start, end=end))
    return replace(script, turns=tuple(turns))


def evaluate_spoken(
    folder: Path,
    recordings: Path,
    settings: Tables | None = None,
    tell: Callable[[str], None] = lambda line: None,
    embed: train.Embed | None = None,
) -> dict:
    """{"sessions", "judged_by", "written": rates, "spoken": rates, "lost_points": by rate, "most_lost", "by_script"}.

    folder       coded scripts; only those with a recording count
    recordings   as `find_pairs` reads them
    raises       AttuneError where no script was spoken, or a recording cannot be read
    """
    pairs = find_pairs(load_scripts(Path(folder)), Path(recordings))
    embed = embed or train.minilm()
    judges = Judges([pair.script for pair in pairs], embed)
    lures = load_near_misses(Path(folder))
    on_paper, heard, rows = [], [], []
    with tempfile.TemporaryDirectory(prefix="attune-spoken-") as store:
        for i, pair in enumerate(pairs, start=1):
            tell(f"{i} of {len(pairs)}: {pair.script.id}")
            model = judges.judge(pair.script, train.FULL)
            near = lures.get(pair.script.id, [])
            on_paper.append(_judge_written(pair.script, model, embed, near))
            heard.append(_judge_heard(pair, model, embed, near, Path(store), settings or {}))
            rows.append({"name": pair.script.id, "written": _told(on_paper[-1]), "spoken": _told(heard[-1])})
    before, after = (sum(counts, written.Counts()).rates for counts in (on_paper, heard))
    return {
        "sessions": len(pairs),
        "ruptures": sum(counts.ruptures for counts in on_paper),
        "judged_by": written.judged_by(judges, None),
        "written": before,
        "spoken": after,
        "lost_points": {name: _lost(before[name], after[name]) for name in LOSSES},
        "most_lost": MOST_LOST,
        "by_script": rows,
    }


def _judge_written(script: Script, model: heads.Model, embed: train.Embed, lures: Sequence[int]) -> written.Counts:
    turns, table = list(script.turns), build_voice_table(script)
    markers = find_markers(turns, table, None, MarkersOptions(), model, embed)
    return written.count(script, find_moments(markers, turns, table, written.VOICES, MomentsOptions()), lures)


def _judge_heard(
    pair: Pair, model: heads.Model, embed: train.Embed, lures: Sequence[int], store: Path, settings: Tables
) -> written.Counts:
    session = open_session(store, pair.recording, [], settings)
    for step in STEPS[: STEPS.index(WINDOWS) + 1]:
        run_one(session, step)
    turns, table, windows, voices = (session.load(step) for step in (TURNS, TURN_TABLE, WINDOWS, VOICES))
    markers = find_markers(turns, table, windows, MarkersOptions(), model, embed)
    script = at_times(pair.script, json.loads(pair.times.read_text(encoding="utf-8")))
    return written.count(script, find_moments(markers, turns, table, voices, MomentsOptions()), lures)


def _told(counts: written.Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in ("flags", "ruptures", "hits", "repairs", "found")}


def _lost(before: float | None, after: float | None) -> float | None:
    """Percentage points; None where one side has nothing to count, as where there is no flag at all."""
    return None if before is None or after is None else round(100 * (before - after), 1)


def render_spoken(result: dict) -> str:
    """The result as a table."""
    lines = [
        f"{result['sessions']} scripts written and spoken, {result['ruptures']} ruptures; judged by "
        f"{result['judged_by']}",
        "",
        f"{'':26}{'written':>9}{'spoken':>9}{'lost':>9}",
    ]
    for name in LOSSES:
        cells = (result["written"][name], result["spoken"][name], result["lost_points"][name])
        lines.append(f"{name:26}" + "".join(f"{'-' if cell is None else f'{cell:g}':>9}" for cell in cells))
    lines.append("")
    for row in result["by_script"]:
        sides = (
            f"{side} {row[side]['hits']} of {row[side]['ruptures']} ruptures with {row[side]['flags']} flags"
            for side in ("written", "spoken")
        )
        lines.append(f"  {row['name']:10} " + "; ".join(sides))
    lines.append(f"target: precision and recall lose at most {result['most_lost']:g} points")
    return "\n".join(lines)
