"""`attune calibrate`: learn from the clinic's own verdicts, show before and after, put in force or take back."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.commands import common
from pipeline.lock import hold
from pipeline.records import AttuneError
from pipeline.session import program_version, storing
from pipeline.settings import options_for
from pipeline.steps import MOMENTS
from pipeline.store import check_form

if TYPE_CHECKING:
    from pipeline.alliance.calibrate import Check, Learned
    from pipeline.alliance.calibration_store import Kept
    from pipeline.review.learning import Evaluated, Recall

PRECISION = 0.6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_store(parser)
    common.add_settings(parser)
    parser.add_argument(
        "--precision",
        type=_share,
        default=PRECISION,
        metavar="SHARE",
        help=f"share of the flags that people should agree with, when thresholds move (default: {PRECISION})",
    )
    does = parser.add_mutually_exclusive_group()
    does.add_argument("--apply", action="store_true", help="put in force what was learnt, and find the moments again")
    does.add_argument("--rollback", action="store_true", help="go back to what was in force before")
    common.add_json(parser)


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 1")
    return value


def run(args: argparse.Namespace) -> int:
    if not (args.store / "sessions").is_dir():
        raise AttuneError(
            f"there is no store in {str(args.store)!r}",
            mend="name it with --store, or process a recording first",
            code="no-store",
        )
    check_form(args.store)
    settings = common.read_settings(common.settings_path(args.store, args.settings))
    if args.rollback:
        return _roll_back(args.store, settings, args.json)
    from pipeline.alliance.calibrate import learn
    from pipeline.alliance.calibration_store import load_kept
    from pipeline.review.learning import load_evaluated

    found = load_evaluated(args.store, settings)
    learned = learn(found.rows, options_for(MOMENTS.name, MOMENTS.options, settings), args.precision)
    kept = load_kept(args.store)
    told = _report(found, learned, kept, args.precision)
    if not args.json:
        print("\n".join(report_lines(found, learned, kept, args.precision)))
    if args.apply:
        told["applied"] = _apply(args.store, settings, found, learned, args)
    if args.json:
        common.print_json(told)
    return 0


# ------------------------------------------------------------------------------------------ putting in force


def _apply(
    store: Path, settings: common.Tables, found: Evaluated, learned: Learned, args: argparse.Namespace
) -> dict[str, Any]:
    from pipeline.alliance.calibration_store import FOLDER, next_version, put_in_force

    if learned.stage == "counts":
        raise AttuneError(
            f"nothing is put in force: {learned.why}",
            mend="judge more of the flagged moments in attune review",
            code="verdicts-few",
        )
    with storing(), hold(store / f"{FOLDER}.lock"):
        version, follows = next_version(store)
        kept = build_kept(version, follows, found, learned, args.precision)
        put_in_force(store, kept)
    again = _find_again(store, settings)
    if not args.json:
        print(f"\nCalibration {version} is in force. {_told_again(again)}")
        print("attune calibrate --rollback takes it back.")
    return {"version": version, "follows": follows} | again


def build_kept(version: int, follows: int, found: Evaluated, learned: Learned, precision: float) -> Kept:
    """What is kept of a calibration: counts, figures and factors; no client, rater or word."""
    from pipeline.alliance.calibration_store import Kept
    from pipeline.review.learning import count_agreed

    flags = [row for row in found.rows if row.flagged]
    agreed, decided = count_agreed(flags)
    return Kept(
        version=version,
        follows=follows,
        at=_now(),
        attune=program_version(),
        verdicts=decided,
        agreed=agreed,
        sessions=len({row.session for row in flags}),
        clients=len({row.client for row in flags}),
        slope=learned.scale.slope,
        intercept=learned.scale.intercept,
        such=found.such,
        precision=precision if learned.stage == "weights" else 0.0,
        calibration=learned.calibration,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _roll_back(store: Path, settings: common.Tables, as_json: bool) -> int:
    from pipeline.alliance.calibration_store import FOLDER, roll_back

    with storing(), hold(store / f"{FOLDER}.lock"):
        version = roll_back(store, _now(), program_version())
    again = _find_again(store, settings)
    if as_json:
        common.print_json({"version": version} | again)
        return 0
    now = f"calibration {version} is in force again" if version else "the program's own weights are in use again"
    print(f"Taken back: {now}. {_told_again(again)}")
    return 0


def _find_again(store: Path, settings: common.Tables) -> dict[str, int]:
    from pipeline.review.remake import find_moments_again

    made, waiting = find_moments_again(store, settings)
    return {"made_again": made, "waiting": waiting}


def _told_again(again: dict[str, int]) -> str:
    made, waiting = again["made_again"], again["waiting"]
    told = f"The moments of {made} {'session' if made == 1 else 'sessions'} were found again."
    more = f" {waiting} more follow when they are next processed: they wait for other steps, or are being worked on."
    return told + (more if waiting else "")


# -------------------------------------------------------------------------------------------------- reporting


def _report(found: Evaluated, learned: Learned, kept: Kept | None, precision: float) -> dict[str, Any]:
    from pipeline.alliance.calibrate import count_sides

    flags = [row for row in found.rows if row.flagged]
    agreed, disagreed = count_sides(flags)
    weights = learned.weights
    return {
        "in_force": kept.version if kept else 0,
        "stage": learned.stage,
        "why_no_further": learned.why,
        "verdicts": {
            "flags": len(flags),
            "agreed": agreed,
            "disagreed": disagreed,
            "unsure": found.unsure,
            "audits": sum(row.audit for row in found.rows),
            "missed": found.missed,
            "sessions": len({row.session for row in flags}),
            "clients_named": found.named,
            "sessions_without_client": found.unnamed,
            "sessions_gone": found.gone,
        },
        "such": [asdict(such) for such in found.such],
        "recall": asdict(found.recall),
        "blind": asdict(found.blind),
        "groups": [asdict(group) for group in found.groups],
        "scale": asdict(learned.scale) if learned.stage != "counts" else None,
        "weights": {
            kind: {"default": weights.default[kind], "fitted": fitted, "factor": round(weights.factor(kind), 4)}
            for kind, fitted in weights.fitted.items()
        }
        if weights
        else {},
        "checks": [asdict(check) for check in learned.checks],
        "precision": precision,
        "reached": learned.reached,
        "calibration": asdict(learned.calibration),
    }


def report_lines(found: Evaluated, learned: Learned, kept: Kept | None, precision: float) -> list[str]:
    """The report for people, a line each."""
    in_force = f"calibration {kept.version} of {kept.at[:10]}" if kept else "the program's own weights"
    lines = [f"In force: {in_force}.", *_counts(found), *_such(found), *_missed(found)]
    lines += [f"By {group.what}: {_of(group.agreed, group.n, group.low, group.high)}" for group in found.groups]
    if learned.why:
        lines += ["", f"{learned.why[0].upper()}{learned.why[1:]}."]
    if learned.stage != "counts":
        lines += ["", *_scale(learned)]
    if learned.weights:
        lines += ["", *_weights(learned)]
        lines += ["", *(_check(check) for check in learned.checks)]
    if learned.stage == "weights":
        lines += ["", *_thresholds(learned, precision)]
    return lines


def _of(agreed: int, n: int, low: float, high: float) -> str:
    return f"people agreed with {agreed} of {n} flags (95 % interval {100 * low:.0f} to {100 * high:.0f} %)."


def _counts(found: Evaluated) -> list[str]:
    from pipeline.review.agreement import wilson_interval
    from pipeline.review.learning import count_agreed

    flags = [row for row in found.rows if row.flagged]
    agreed, n = count_agreed(flags)
    lines = [f"In this clinic, {_of(agreed, n, *wilson_interval(agreed, n))}"] if n else ["No flag is judged yet."]
    lines.append(
        f"Unsure: {found.unsure}. Clips drawn at random and judged: {sum(row.audit for row in found.rows)}. "
        f"Moments that people added: {found.missed}."
    )
    if found.unnamed:
        lines.append(
            f"Clients named in session.toml ([about] client): {found.named}. {found.unnamed} sessions name none, and "
            "each counts as a client of its own."
        )
    if found.gone:
        lines.append(f"{found.gone} sessions are no longer here: their verdicts count, and no weight can follow them.")
    return lines


def _such(found: Evaluated) -> list[str]:
    return [
        f"Possible {such.kind}, evidence {such.band}: {_of(such.agreed, such.n, such.low, such.high)}"
        for such in found.such
    ]


def _missed(found: Evaluated) -> list[str]:
    lines = [_recall(found.recall)] if found.recall.audits else []
    blind = found.blind
    if blind.marked:
        lines.append(
            f"Of {blind.marked} moments marked in a blind first pass, {blind.flagged} were flagged too "
            f"(95 % interval {100 * blind.low:.0f} to {100 * blind.high:.0f} %)."
        )
    return lines


def _recall(recall: Recall) -> str:
    from pipeline.review.learning import LEAST_AUDITS

    seen = f"People saw a moment in {recall.with_moment} of {recall.audits} clips drawn at random."
    if recall.share is None:
        return f"{seen} How much is missed cannot be told yet: {LEAST_AUDITS} such clips are needed."
    return (
        f"{seen} Each stands for all that was not flagged in its session: of the moments there are, about "
        f"{100 * recall.share:.0f} % were flagged (95 % interval {100 * recall.low:.0f} to {100 * recall.high:.0f} %)."
    )


def _scale(learned: Learned) -> list[str]:
    from pipeline.alliance.calibrate import Scale

    rows = "   ".join(f"{x:+.1f}: {100 * Scale().share(x):.0f} -> {100 * learned.scale.share(x):.0f} %" for x in SCORES)
    return [
        "Share that people agree with, by a flag's score: as the score says by itself -> in this clinic",
        f"  {rows}",
    ]


SCORES = (-1.5, -0.5, 0.5, 1.5)


def _weights(learned: Learned) -> list[str]:
    from pipeline.alliance.catalogue import load_catalogue

    weights, entries = learned.weights, load_catalogue().entries
    assert weights is not None
    lines = ["Weights of evidence, natural-log units: the program's own -> fitted to the verdicts"]
    for kind, fitted in weights.fitted.items():
        name = entries[kind].label if kind in entries else kind
        lines.append(f"  {name:<48} {weights.default[kind]:5.2f} -> {fitted:5.2f}")
    return lines


def _check(check: Check) -> str:
    return (
        f"On {check.of} ({check.clips} clips that the fit had not seen): log loss {check.loss_before:.3f} -> "
        f"{check.loss_after:.3f}; agreed with {check.agreed_before:.0f} of {check.flags_before} flags -> "
        f"{check.agreed_after:.0f} of {check.flags_after}."
    )


def _thresholds(learned: Learned, precision: float) -> list[str]:
    lines = []
    for family, reached in learned.reached.items():
        told = "" if reached else f" No threshold reaches {100 * precision:.0f} %; it stays in its place."
        lines.append(f"Threshold of {family}: {learned.calibration.move(family):+.2f}.{told}")
    return lines
