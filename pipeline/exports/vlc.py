"""A playlist for VLC: the session with a bookmark at every moment, and then every moment as an entry of its own."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from pipeline.exports.clock import ms, short
from pipeline.exports.links import relative_link
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.text import one_line
from pipeline.exports.wording import headline

XSPF = "http://xspf.org/ns/0/"
VLC = "http://www.videolan.org/vlc/playlist/ns/0/"
APPLICATION = "http://www.videolan.org/vlc/playlist/0"


def write_vlc(material: Material, options: ExportOptions) -> bytes:
    """XSPF with VLC's own options. Each bookmark and entry begins `options.pre_roll_s` before its moment.

    The recording is linked by a relative path. Without a recording the playlist is empty.
    """
    ElementTree.register_namespace("", XSPF)
    ElementTree.register_namespace("vlc", VLC)
    root = ElementTree.Element(f"{{{XSPF}}}playlist", version="1")
    session = one_line(material.about.session)
    ElementTree.SubElement(root, f"{{{XSPF}}}title").text = f"Session {session}: moments worth a look"
    tracks = ElementTree.SubElement(root, f"{{{XSPF}}}trackList")
    if material.plays:
        link = relative_link(material.plays, material.folder)
        moments = sorted(material.shown, key=lambda moment: (moment.start, moment.end))
        starts = [max(0.0, moment.start - options.pre_roll_s) for moment in moments]
        names = [f"{short(moment.start)} {headline(moment)}" for moment in moments]
        marks = ",".join(f"{{name={_plain(name)},time={start:.3f}}}" for name, start in zip(names, starts, strict=True))
        _add_track(tracks, link, f"Session {session}", material.end_s, [f"bookmarks={marks}"] if marks else [])
        for moment, name, start in zip(moments, names, starts, strict=True):
            times = [f"start-time={start:.3f}", f"stop-time={moment.end:.3f}"]
            _add_track(tracks, link, name, moment.end - start, times)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"


def _add_track(tracks: ElementTree.Element, link: str, title: str, length_s: float, wishes: list[str]) -> None:
    track = ElementTree.SubElement(tracks, f"{{{XSPF}}}track")
    ElementTree.SubElement(track, f"{{{XSPF}}}location").text = link
    ElementTree.SubElement(track, f"{{{XSPF}}}title").text = title
    ElementTree.SubElement(track, f"{{{XSPF}}}duration").text = str(ms(length_s))
    extension = ElementTree.SubElement(track, f"{{{XSPF}}}extension", application=APPLICATION)
    for wish in wishes:
        ElementTree.SubElement(extension, f"{{{VLC}}}option").text = wish


def _plain(name: str) -> str:
    """Without what ends a name in VLC's list of bookmarks."""
    return re.sub(r"[,{}]", " ", name)
