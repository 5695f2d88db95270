"""summary.html: the session on one page that needs nothing else, opened from disk, read on a screen or on paper."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from pipeline.exports.clock import short
from pipeline.exports.markup import escape, recording_url, time_link, words_html
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.text import file_name
from pipeline.exports.timeline import SHAPES, draw_timeline
from pipeline.exports.wording import BANDS, KINDS, NOT_A_RISK_TOOL, ROLES, marker_label, strategies
from pipeline.records import Moment, Repair, Turn, Voice

SOUND_ONLY = (".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".oga", ".opus", ".wma", ".aif", ".aiff")
MOST_LINES = 14  # of an excerpt; a longer one leaves out its middle, which the transcript has
SURE = 0.75  # below it the role of a voice is shown as unsure; the notes use the same limit

HOW_TO_READ = (
    "The moments are places that may be worth a look, chosen by fixed rules from words, timing and, where it was "
    "measured, voice. The tool does not see faces or posture. Stronger, some and weak evidence say how firmly a moment "
    "stands when the rules are shaken a little, not how likely a rupture is. Numbers compare a person with their own "
    "usual in this session. What happened, and what it meant, is for the people who were there and their supervisor "
    "to say."
)
ABOUT_TRANSCRIPT = (
    "<p class=quiet>Words with a <i class=doubt>dotted line</i> are those that the recogniser was unsure of.</p>"
    "<label class=screen-only><input type=checkbox id=print-transcript checked> print it too</label>"
)
COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


def write_page(material: Material, options: ExportOptions) -> bytes:
    """The whole page: moments by rank, the course of the session, the transcript. No request to anywhere else."""
    style, script = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    cards = "".join(_card(rank, m, material, options) for rank, m in enumerate(material.shown, start=1))
    pair = f"<div class=pair>{_unlinked(material, options)}{_voices(material)}</div>"
    main = f"<main id=moments>{cards}{pair}{_transcript(material, options)}</main>"
    desk = f"<div class=desk>{_player(material, options)}{main}</div>"
    body = "\n".join([_header(material, options), _notes(material), _timeline(material), desk, _footer()])
    page = (
        '<!doctype html>\n<html lang=en>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">\n'
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        '<meta name=color-scheme content="light dark">\n'
        f"<title>Session {escape(material.about.session)}: moments worth a look</title>\n"
        f"<style>{style}</style>\n</head>\n<body>\n{body}\n<script>{script}</script>\n</body>\n</html>\n"
    )
    return page.encode()


def _policy(style: str, script: str) -> str:
    """Nothing but this style, this script and a recording on this machine."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _header(material: Material, options: ExportOptions) -> str:
    count = len(material.shown)
    said = COUNTS[count] if count < len(COUNTS) else str(count)
    title = f"{said} moment{'' if count == 1 else 's'} worth a look" if count else "No moment crossed the line"
    watching = sum(m.end - max(0.0, m.start - options.pre_roll_s) for m in material.shown)
    lede = f"A session of {_length(material.end_s)}."
    if count:
        lede += f" Watching what is marked takes about {_length(watching)}."
    elif not material.findings.notes:
        lede += " This does not mean that there was no rupture."
    return (
        f"<a class=skip href=#moments>Skip to the {'moments' if count else 'transcript'}</a>"
        f"<header class=top><p class=brand><b>attune</b> <span>session {escape(material.about.session)}</span></p>"
        f"<h1>{title}</h1><p class=lede>{lede}</p><p class=limit>{NOT_A_RISK_TOOL}</p></header>"
    )


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes"


def _notes(material: Material) -> str:
    if not material.findings.notes:
        return ""
    notes = "".join(f"<li>{escape(note[:1].upper() + note[1:])}.</li>" for note in material.findings.notes)
    return (
        "<section class=notes aria-labelledby=notes-title><h2 id=notes-title>Please read first</h2>"
        f"<ul>{notes}</ul></section>"
    )


def _timeline(material: Material) -> str:
    drawing = draw_timeline(material)
    if not drawing:
        return ""
    return (
        "<section class=course aria-labelledby=course-title><h2 id=course-title>Course of the session</h2>"
        f"{drawing}</section>"
    )


def _player(material: Material, options: ExportOptions) -> str:
    links = "".join(
        f'<li><a href="#m{rank}">{_badge(rank, m)}<span>{KINDS[m.kind]}</span></a> '
        f"{time_link(m.start, material, lead_s=options.pre_roll_s)}</li>"
        for rank, m in enumerate(material.shown, start=1)
    )
    listed = f"<nav aria-label=Moments><ol class=index>{links}</ol></nav>" if links else ""
    return f"<aside class=side>{_screen(material)}{listed}</aside>"


def _screen(material: Material) -> str:
    path = material.plays
    if not path:
        return "<p class='quiet silent'>This session comes from a transcript alone: there is nothing to play.</p>"
    sound = file_name(path).lower().endswith(SOUND_ONLY)
    element = "audio" if sound else "video"
    return (
        f'<{element} id=player controls preload=metadata src="{escape(recording_url(path))}" '
        f'aria-label="Recording of the session"></{element}>'
        "<div id=missing class=missing hidden role=alert><p><b>The recording cannot be played from here.</b> "
        f"It was <bdi>{escape(file_name(path))}</bdi>; it may have moved, or this browser cannot play its format. "
        "The times below still hold.</p>"
        "<label class=choose>Choose the recording<input id=choose type=file accept='audio/*,video/*'></label></div>"
        "<p class=keys><label><input id=keys type=checkbox checked> Keys:</label> <kbd>K</kbd> play or pause, "
        "<kbd>J</kbd> <kbd>L</kbd> 5 s back or on, <kbd>N</kbd> <kbd>P</kbd> next or previous moment, "
        "<kbd>Enter</kbd> plays it</p>"
    )


def _badge(rank: int, moment: Moment) -> str:
    return (
        f'<svg class="badge {moment.kind}" width=28 height=28 viewBox="-14 -14 28 28" aria-hidden=true>'
        f"{SHAPES[moment.kind]}<text y=4.5 text-anchor=middle>{rank}</text></svg>"
    )


def _card(rank: int, moment: Moment, material: Material, options: ExportOptions) -> str:
    label = marker_label(moment.marker)
    closest = f"<p class=closest>closest to: <b>{escape(label)}</b></p>" if label else ""
    play = time_link(
        moment.start,
        material,
        lead_s=options.pre_roll_s,
        label=f"{short(moment.start)} to {short(moment.end)}",
    )
    return (
        f"<article class=card id=m{rank} aria-labelledby=m{rank}-title "
        f'data-start="{moment.start:.3f}" data-end="{moment.end:.3f}">'
        f"<header>{_badge(rank, moment)}<div><h2 id=m{rank}-title>{KINDS[moment.kind]}</h2>{closest}</div>"
        f"<div class=when>{play}<p class=band>{_band(moment)}</p></div></header>"
        f"<div class=body>{_excerpt(moment, material, options)}<div class=reasons>"
        f"{_reasons('Why it is here', moment.why, 'No single reason stands out.')}"
        f"{_reasons('What counts against it', moment.against, 'Nothing was noticed.')}</div></div>"
        f"{_strip(moment.repairs, material, options)}</article>"
    )


def _band(moment: Moment) -> str:
    said = escape(BANDS.get(moment.band, moment.band))
    filled = {"weak": 1, "some": 2, "stronger": 3}.get(moment.band)
    if filled is None:
        return said
    return f"<span class=dots aria-hidden=true>{'●' * filled}{'○' * (3 - filled)}</span> {said}"


def _reasons(title: str, reasons: Sequence[str], none: str) -> str:
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f"<h3>{title}</h3>" + (f"<ul>{items}</ul>" if items else f"<p class=quiet>{none}</p>")


def _excerpt(moment: Moment, material: Material, options: ExportOptions) -> str:
    inside = [k for k, turn in enumerate(material.turns) if turn.start < moment.end and turn.end > moment.start]
    if not inside:
        return _bare_words(moment)
    after = [k for k in range(inside[-1] + 1, len(material.turns)) if not material.turns[k].backchannel][:1]
    shown = _nearest(inside, material.turns, moment.peak)
    lines, last = [], shown[0] - 1
    for k in shown + after:
        if k in inside and k - last > 1:
            lines.append(f"<li class=gap><a href=#u{last + 1}>{k - last - 1} more in the transcript</a></li>")
        lines.append(_line(k, material, options, "after" if k in after else "before" if k == inside[0] else ""))
        last = k
    return f"<ol class=talk>{''.join(lines)}</ol>"


def _bare_words(moment: Moment) -> str:
    lines = "".join(f"<li class=bare><p dir=auto>{escape(line)}</p></li>" for line in moment.words.split("\n"))
    return f"<ol class=talk>{lines}</ol>"


def _nearest(inside: list[int], turns: Sequence[Turn], peak: float) -> list[int]:
    """The first turn and those nearest to the peak, in order, at most `MOST_LINES`."""
    by_distance = sorted(inside[1:], key=lambda k: max(turns[k].start - peak, peak - turns[k].end, 0.0))
    return [inside[0], *sorted(by_distance[: MOST_LINES - 1])]


def _line(k: int, material: Material, options: ExportOptions, place: str = "") -> str:
    turn = material.turns[k]
    kind = f"{turn.role}{' brief' if turn.backchannel else ''}{f' {place}' if place else ''}"
    tag = f" <small>{place}</small>" if place else ""
    return (
        f'<li class="{kind}">{time_link(turn.start, material)}<b>{_who(turn)}{tag}</b>'
        f"<p dir=auto>{words_html(turn.words, options)}</p></li>"
    )


def _who(turn: Turn) -> str:
    return ROLES[turn.role] if turn.role != "other" else f"Other <bdi>{escape(turn.speaker)}</bdi>"


def _strip(repairs: Sequence[Repair], material: Material, options: ExportOptions) -> str:
    attempts = "".join(f"<li>{_attempt(repair, material, options)}</li>" for repair in repairs)
    if not attempts:
        return "<footer class=strip><h3>Repair attempt</h3><p>Not seen after this moment.</p></footer>"
    title = "Possible repair attempt" if len(repairs) == 1 else f"{len(repairs)} possible repair attempts"
    return f"<footer class=strip><h3>{title}</h3><ul>{attempts}</ul></footer>"


def _attempt(repair: Repair, material: Material, options: ExportOptions) -> str:
    kind = "immediate and exploratory" if repair.type == "both" else escape(repair.type)
    note = f"<p class=quiet>{escape(repair.note)}</p>" if repair.note else ""
    return (
        f"<p>{time_link(repair.start, material, lead_s=options.pre_roll_s, label=short(repair.start))} "
        f"<b>{kind}</b>: {escape(strategies(repair))}</p>"
        f"<blockquote dir=auto>{escape(repair.words)}</blockquote>"
        f"<p class=engagement>{_meter(repair.engagement)} client's engagement afterwards: "
        f"<b>{escape(repair.engagement)}</b></p>{note}"
    )


def _meter(engagement: str) -> str:
    filled = {"back near usual": 3, "partly": 2, "not seen": 0}.get(engagement)
    if filled is None:
        return "<span class=meter aria-hidden=true>?</span>"
    return f"<span class=meter aria-hidden=true>{'▮' * filled}{'▯' * (3 - filled)}</span>"


def _unlinked(material: Material, options: ExportOptions) -> str:
    if not material.unlinked:
        return ""
    rows = "".join(f"<li>{_attempt(repair, material, options)}</li>" for repair in material.unlinked)
    return (
        "<section class=plain aria-labelledby=others-title><h2 id=others-title>Other possible repair attempts</h2>"
        "<p class=quiet>The therapist may have checked in on the relationship here; nothing was marked before it.</p>"
        f"<ul class=attempts>{rows}</ul></section>"
    )


def _voices(material: Material) -> str:
    if not material.voices:
        return ""
    rows = "".join(_voice(voice) for voice in material.voices)
    return (
        "<section class=plain aria-labelledby=who-title><h2 id=who-title>Who is who</h2>"
        f"<ul class=who>{rows}</ul></section>"
    )


def _voice(voice: Voice) -> str:
    sure = "" if voice.confidence >= SURE else " <strong>please confirm</strong>"
    label = "" if voice.speaker == voice.role else f"voice <bdi>{escape(voice.speaker)}</bdi>, "
    return (
        f"<li><b>{ROLES[voice.role]}</b> <span class=quiet>{label}heard from "
        f"{short(voice.start)} to {short(voice.end)}</span>{sure}<p>{escape(voice.why)}</p></li>"
    )


def _transcript(material: Material, options: ExportOptions) -> str:
    title = "<h2 id=transcript-title>Transcript</h2>"
    lines = "".join(_transcript_line(k, material, options) for k in range(len(material.turns)))
    if lines:
        inside = f"<header>{title}{ABOUT_TRANSCRIPT}</header><ol class=talk id=talk>{lines}</ol>"
    else:
        inside = f"{title}<p class=none>No words were found in this session.</p>"
    return f"<section class=transcript aria-labelledby=transcript-title>{inside}</section>"


def _transcript_line(k: int, material: Material, options: ExportOptions) -> str:
    turn = material.turns[k]
    flags = [(r, m) for r, m in enumerate(material.shown, start=1) if turn.start < m.end and turn.end > m.start]
    marks = "".join(f'<a href=#m{r} aria-label="Moment {r}: {KINDS[m.kind]}">{_badge(r, m)}</a>' for r, m in flags)
    kind = f"{turn.role}{' brief' if turn.backchannel else ''}{' flagged' if flags else ''}"
    return (
        f'<li id=u{k} class="{kind}" data-start="{turn.start:.3f}">{time_link(turn.start, material)}'
        f"<b>{_who(turn)}</b><p dir=auto>{words_html(turn.words, options)}</p><span class=marks>{marks}</span></li>"
    )


def _footer() -> str:
    return (
        f"<footer class=end><p><b>How to read this.</b> {HOW_TO_READ}</p><p class=limit>{NOT_A_RISK_TOOL}</p></footer>"
    )
