"""Seconds written as people and players read them. Times are never negative."""

from __future__ import annotations


def hms(seconds: float) -> str:
    """h:mm:ss, rounded down."""
    whole = max(0, int(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def short(seconds: float) -> str:
    """m:ss below one hour, h:mm:ss from there, rounded down."""
    whole = max(0, int(seconds))
    return hms(seconds) if whole >= 3600 else f"{whole // 60}:{whole % 60:02d}"


def ms(seconds: float) -> int:
    """Whole milliseconds, rounded to the nearest."""
    return max(0, round(seconds * 1000))


def stamp(milliseconds: int, point: str = ".") -> str:
    """hh:mm:ss.mmm, as WebVTT has it; SRT has a comma for the point."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"


def timecode(frames: int, frames_per_s: int) -> str:
    """hh:mm:ss:ff without dropped frames."""
    seconds, rest = divmod(frames, frames_per_s)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest:02d}"
