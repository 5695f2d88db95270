"""A session on one page: who speaks, floor share, the client's pitch and level, waits and silences, and the moments.

Time runs from left to right in minutes, the same for every row. People differ by shade and place, moments by letter and
hatching, so that the page reads the same in greyscale. Bands show where half and nine tenths of the person's own values
lie: in or out of the own range is all that a height says about a voice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.features.course import find_silences
from pipeline.features.pitch import FRAME_S
from pipeline.records import Findings, Moment, Turn

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHADE = {"therapist": "#1b3a57", "client": "#d08a3c", "other": "#9a9a9a"}  # dark, mid and light in greyscale too
KINDS = {"withdrawal": ("W", "///"), "confrontation": ("C", "xxx"), "repair": ("R", "...")}
INK = "#222222"
PALE = "#e9e9e9"
LEAST_FRAMES = 300  # 3 s of voiced sound before a voice is drawn
STEP_S = 5.0  # one dot of pitch and level for each 5 s


def plot_session(
    turns: list[Turn],
    frames: pd.DataFrame | None,
    turn_table: pd.DataFrame,
    windows: pd.DataFrame,
    findings: Findings,
    duration_s: float,
) -> Figure:
    """The page, A4 landscape. `figure.savefig` writes it as PNG or SVG.

    frames   None without sound: the rows of pitch and level are left out, and a line says so
    """
    from matplotlib.figure import Figure

    people = _drawn(frames)
    heights = [1.1, 0.9, *([0.9, 0.8] * len(people)), 0.9, 0.75]
    figure = Figure(figsize=(11.7, 8.3), layout="constrained")
    rows = figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights})
    _draw_speakers(rows[0], turns)
    _draw_floor(rows[1], windows)
    for k, role in enumerate(people):
        _draw_pitch(rows[2 + 2 * k], frames, role)
        _draw_level(rows[3 + 2 * k], frames, role)
    _draw_waits(rows[-2], turns, turn_table)
    _draw_moments(rows[-1], findings)
    for row in rows:
        _shade(row, windows, findings, is_moments=row is rows[-1])
        _tidy(row)
    rows[-1].set_xlim(0, max(duration_s, 1.0) / 60)
    rows[-1].set_xlabel("minutes")
    figure.align_ylabels(rows)
    figure.suptitle(_title(findings, duration_s), x=0.01, ha="left", fontsize=12, color=INK)
    figure.supxlabel(_footnote(frames, windows), x=0.01, ha="left", fontsize=7.5, color="#555555")
    return figure


def _title(findings: Findings, duration_s: float) -> str:
    count = sum(not moment.audit for moment in findings.moments)
    found = f"{count} moment{'' if count == 1 else 's'} worth a look" if count else "no moment crossed the line"
    return f"Session of {duration_s / 60:.0f} min: {found}"


def _footnote(frames: pd.DataFrame | None, windows: pd.DataFrame) -> str:
    lines = []
    if frames is None:
        lines.append("No recording: pitch and level are not drawn.")
    elif not _drawn(frames):
        lines.append("Too little of a measured voice: pitch and level are not drawn.")
    else:
        lines.append("Pitch and level: medians of 5 s; bands: where half and nine tenths of this person's lie.")
    if len(windows) and windows.loc[windows["kind"] == "minute", "grey"].any():
        lines.append("Crossed-out minutes: sound or words too poor to say anything.")
    if _drawn(frames):
        lines.append("A voice out of its range can mean anything.")
    key = "W possible withdrawal   C possible confrontation   R repair   number: rank   triangle: repair attempt"
    return f"{key}\n{' '.join(lines)}"


def _drawn(frames: pd.DataFrame | None) -> list[str]:
    """Roles with enough of a measured voice, the client first."""
    if frames is None:
        return []
    voiced = frames.loc[frames["voiced"], "role"].astype(str).value_counts()
    return [role for role in ("client", "therapist") if voiced.get(role, 0) >= LEAST_FRAMES]


def _draw_speakers(row: Axes, turns: Sequence[Turn]) -> None:
    roles = [role for role in ("therapist", "client", "other") if any(turn.role == role for turn in turns)]
    for y, role in enumerate(reversed(roles)):
        long = [(t.start / 60, (t.end - t.start) / 60) for t in turns if t.role == role and not t.backchannel]
        short = [(t.start / 60, (t.end - t.start) / 60) for t in turns if t.role == role and t.backchannel]
        row.broken_barh(long, (y + 0.12, 0.76), facecolor=SHADE[role], linewidth=0)
        row.broken_barh(short, (y + 0.38, 0.24), facecolor=SHADE[role], linewidth=0)
    row.set_yticks(np.arange(len(roles)) + 0.5, list(reversed(roles)))
    row.set_ylim(0, max(len(roles), 1))
    _name(row, "who speaks")


def _draw_floor(row: Axes, windows: pd.DataFrame) -> None:
    shares = windows[windows["kind"] == "60 s"] if len(windows) else windows
    if len(shares):
        at = np.r_[shares["start"].iloc[0], (shares["start"] + shares["end"]) / 2, shares["end"].iloc[-1]] / 60
        share = np.pad(shares["client_floor_share"].to_numpy(dtype=float), 1, mode="edge") * 100
        row.fill_between(at, 0, share, color=SHADE["client"], linewidth=0, alpha=0.85)
        row.fill_between(at, share, 100, color=SHADE["therapist"], linewidth=0, alpha=0.85)
        row.text(0.004, 0.07, "client", transform=row.transAxes, fontsize=8, color=INK)
        row.text(0.004, 0.79, "everybody else", transform=row.transAxes, fontsize=8, color="white")
    row.axhline(50, color="white", linewidth=0.8, linestyle=":")
    row.set_ylim(0, 100)
    row.set_yticks([0, 50, 100])
    _name(row, "floor share\n60 s, %")


def _draw_pitch(row: Axes, frames: pd.DataFrame, role: str) -> None:
    mine = frames["voiced"].to_numpy() & (frames["role"] == role).to_numpy()
    f0 = frames["f0_hz"].to_numpy(dtype=float)
    st = np.where(mine, 12 * np.log2(np.where(mine, f0, 1.0) / np.median(f0[mine])), np.nan)
    _draw_own_range(row, st, role, 6.0)
    _name(row, f"{role}: pitch\nsemitones")


def _draw_level(row: Axes, frames: pd.DataFrame, role: str) -> None:
    mine = frames["voiced"].to_numpy() & (frames["role"] == role).to_numpy()
    level = frames["intensity_db"].to_numpy(dtype=float)
    _draw_own_range(row, np.where(mine, level - np.median(level[mine]), np.nan), role, 10.0)
    _name(row, f"{role}: level\ndB")


def _draw_own_range(row: Axes, values: np.ndarray, role: str, least: float) -> None:
    """Medians of 5 s over the person's own bands: where half and nine tenths of these medians lie."""
    at, middle = _medians(values)
    known = middle[np.isfinite(middle)]
    low, lower, upper, high = np.percentile(known if known.size else np.zeros(1), [5, 25, 75, 95])
    row.axhspan(low, high, color=PALE, linewidth=0)
    row.axhspan(lower, upper, color="#cfcfcf", linewidth=0)
    row.axhline(0, color="#888888", linewidth=0.6)
    row.plot(
        at / 60,
        middle,
        color=INK,
        linewidth=0.7,
        marker="o",
        markersize=3,
        markeredgewidth=0.5,
        markerfacecolor=SHADE[role],
    )
    reach = max(least, 1.1 * np.max(np.abs(known), initial=0.0))
    row.set_ylim(-reach, reach)


def _medians(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(middles in s, medians) of every 5 s with at least 0.3 s of values; NaN, which breaks the line, elsewhere."""
    each = round(STEP_S / FRAME_S)
    padded = np.pad(values, (0, -values.size % each), constant_values=np.nan).reshape(-1, each)
    enough = np.isfinite(padded).sum(axis=1) >= 30
    middle = np.full(len(padded), np.nan)
    if enough.any():
        middle[enough] = np.nanmedian(padded[enough], axis=1)
    return (np.arange(len(padded)) + 0.5) * STEP_S, middle


def _draw_waits(row: Axes, turns: Sequence[Turn], table: pd.DataFrame) -> None:
    """Each reply's wait as a stem, silences that the therapist ends oneself as open bars."""
    for role, marker in (("therapist", "s"), ("client", "o")):
        mine = (table["role"] == role) & table["latency_s"].notna()
        at, wait = table.loc[mine, "start"] / 60, table.loc[mine, "latency_s"]
        if not mine.any():
            continue
        row.plot(
            at, wait, marker, color=SHADE[role], markersize=2.6, linestyle="none", label=f"the {role} answers after"
        )
        if role == "client":
            row.vlines(at, 0, wait, color=SHADE[role], linewidth=0.9)
    held = [s for s in find_silences(turns) if s.held]
    if held:
        row.bar(
            [(s.start + s.end) / 120 for s in held],
            [s.end - s.start for s in held],
            width=[(s.end - s.start) / 60 for s in held],
            facecolor="white",
            edgecolor=INK,
            hatch="////",
            linewidth=0.8,
            label="therapist, silence, therapist",
        )
    row.axhline(0, color=INK, linewidth=0.6)
    longest = max([s.end - s.start for s in held] + table["latency_s"].dropna().tolist(), default=1.0)
    row.set_ylim(-1.5, max(3.0, 1.1 * longest))
    if row.get_legend_handles_labels()[1]:
        row.legend(loc="lower right", bbox_to_anchor=(1, 0.93), ncols=3, fontsize=7, frameon=False, borderaxespad=0)
    _name(row, "wait before\na reply, s")


def _draw_moments(row: Axes, findings: Findings) -> None:
    shown = [moment for moment in findings.moments if not moment.audit]
    for rank, moment in enumerate(shown, start=1):
        letter, hatch = KINDS[moment.kind]
        width = max(moment.end - moment.start, 12.0) / 60
        row.broken_barh(
            [(moment.start / 60, width)], (0.5, 0.5), facecolor=PALE, edgecolor=INK, hatch=hatch, linewidth=1.2
        )
        row.text(
            moment.start / 60 + width / 2, 1.08, f"{letter}{rank}", ha="center", va="bottom", fontsize=9, weight="bold"
        )
    for repair in findings.repairs:
        row.plot(repair.start / 60, 0.22, marker="^", color="white", markeredgecolor=INK, markersize=6)
    row.set_ylim(0, 1.65)
    row.set_yticks([0.22, 0.75], ["repair\nattempts", "moments"], fontsize=7.5)
    _name(row, "")


def _shade(row: Axes, windows: pd.DataFrame, findings: Findings, is_moments: bool) -> None:
    """Moments as thin lines through all rows; grey minutes crossed out."""
    for moment in findings.moments:
        if not moment.audit and not is_moments:
            _frame(row, moment)
    grey = windows[(windows["kind"] == "minute") & windows["grey"]] if len(windows) else windows
    for start, end in zip(grey["start"], grey["end"], strict=True):
        row.axvspan(start / 60, end / 60, facecolor="white", alpha=0.75, edgecolor="#999999", hatch="xx", linewidth=0)


def _frame(row: Axes, moment: Moment) -> None:
    for at in (moment.start, moment.end):
        row.axvline(at / 60, color=INK, linewidth=0.7, linestyle=(0, (4, 2)))


def _name(row: Axes, text: str) -> None:
    row.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8.5, labelpad=6)


def _tidy(row: Axes) -> None:
    for side in ("top", "right"):
        row.spines[side].set_visible(False)
    row.tick_params(labelsize=8, colors=INK, length=2.5)
    row.grid(axis="x", color="#dddddd", linewidth=0.5)
    row.set_axisbelow(True)
