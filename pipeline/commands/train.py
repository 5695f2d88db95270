"""`attune train`: fit the heads from coded scripts again, and write beside them the receipt of what they rest on.

The everyday words that tell therapist from client are fitted on the same scripts.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.alliance.heads import SHIPPED
from pipeline.alliance.scripts import SHIPPED as SCRIPTS
from pipeline.alliance.scripts import Script, load_scripts
from pipeline.commands import common
from pipeline.records import AttuneError
from pipeline.speech import role_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scripts", nargs="?", type=Path, default=SCRIPTS, metavar="DIR", help="coded scripts (default: the shipped)"
    )
    parser.add_argument(
        "--out", type=Path, default=SHIPPED, metavar="FILE", help="where the heads go (default: where they are read)"
    )
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    from pipeline.alliance.train import train

    check_out(args.out)
    before = args.out.read_bytes() if args.out.is_file() else b""
    words_out = role_words_file(args.out)
    train_role_words(args.scripts, words_out)
    receipt = train(args.scripts, args.out, tell=(lambda line: None) if args.json else print)
    if args.json:
        common.print_json(receipt)
        return 0
    print(render_receipt(receipt))
    same = "the same bytes as before" if args.out.read_bytes() == before else "new weights"
    receipt_name = args.out.with_suffix(".json").name
    print(f"\n{args.out.name}: {same}; receipt in {receipt_name}; words that tell roles in {words_out.name}")
    return 0


def role_words_file(out: Path) -> Path:
    """Where the role words go: where they are read, or beside heads that go elsewhere."""
    return role_words.SHIPPED if out == SHIPPED else out.with_suffix(".role_words.json")


def train_role_words(scripts: Path, out: Path) -> None:
    """Fit them on what therapists and clients say in the coded scripts."""
    sessions = [(said_by(script, "therapist"), said_by(script, "client")) for script in load_scripts(scripts)]
    role_words.save_role_words(out, role_words.fit_role_words(sessions))


def said_by(script: Script, role: str) -> str:
    return " ".join(turn.text for turn in script.turns if turn.role == role)


def check_out(out: Path) -> None:
    """Raises AttuneError where the heads could not be written, before minutes are spent on them."""
    if out.suffix != ".npz" or not out.parent.is_dir():
        raise AttuneError(
            f"the heads cannot be written to {str(out)!r}",
            mend="name a file that ends in .npz, in a folder that is there",
            code="out-wrong",
        )


def render_receipt(receipt: dict[str, Any]) -> str:
    """The receipt for the terminal: area under the curve over turns of authors left out, a row an author."""
    areas = receipt["left_out_auc"]
    sources = list(next(iter(areas.values())))
    lines = [
        f"data {receipt['data_sha256'][:12]}, seed {receipt['seed']}, {len(receipt['scripts'])} scripts",
        "area under the curve by turn, each author judged by heads fitted without that author:",
        f"{'':12}" + "".join(f"{family:>15}" for family in areas),
    ]
    for source in sources:
        cells = [areas[family].get(source) for family in areas]
        lines.append(f"{source:12}" + "".join(f"{'-' if cell is None else f'{cell:.3f}':>15}" for cell in cells))
    return "\n".join(lines)
