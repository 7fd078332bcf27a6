"""The few-shot experiment as one command.

python -m StructDiffCore.evaluation.downstream Testing/Examples/proof.yaml --out DIR [--minutes N] [--only ARM ...] [--status]

The same command goes on where it was stopped; started several times side by side, the processes share the work. DIR/proof.json,
proof.md and proof.png hold what is known so far.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.atomic import write_text

from .hearts_plan import HeartsPlan, generator
from .proof_report import write_report
from .proof_settings import MAY_CHANGE, STUDIES, ProofSettings
from .scans_plan import ScansPlan
from .work import Clock, Workshop, work

SETTINGS = "settings.json"
Plan = HeartsPlan | ScansPlan


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, 2 with one line for bad input, 130 where Ctrl-C stopped it."""
    arguments = _parser().parse_args(argv)
    try:
        settings = ProofSettings.read(arguments.settings)
        if arguments.only:
            settings = replace(settings, arms=tuple(arguments.only))
        run(settings, arguments.out, arguments.minutes, arguments.status)
    except StructDiffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    return 0


def run(settings: ProofSettings, out: Path, minutes: float | None = None, only_status: bool = False) -> Plan:
    """Make what is missing, as long as there is time, and report."""
    import torch

    torch.set_num_threads(settings.threads)
    refuse_other_settings(settings, out)
    shop = Workshop(out.absolute())
    plan: Plan = HeartsPlan(settings, shop) if settings.study == STUDIES[0] else ScansPlan(settings, shop)
    if not only_status:
        for made in work(plan.shop, plan.items, Clock.of_minutes(minutes)):
            left = f"{made.done} of {made.total}, {made.seconds_left / 60:.0f} min of one core left"
            print(f"{made.item.name}: {made.seconds:.1f} s ({left})", flush=True)
    print("\n".join(status(plan)), flush=True)
    told = write_report(plan, out) if isinstance(plan, HeartsPlan) else plan.write_report(out)
    print("\n".join(told), flush=True)
    return plan


def status(plan: Plan) -> list[str]:
    """What is done, by kind, and what is left."""
    items = plan.items()
    pace = plan.shop.seconds_of(items)
    lines = []
    for kind in dict.fromkeys(item.kind for item in items):
        own = [item for item in items if item.kind == kind]
        done = sum(map(plan.shop.is_done, own))
        lines.append(f"{kind:10} {done:5} of {len(own):5} done, {pace[kind]:7.1f} s each")
    left = sum(pace[item.kind] for item in items if not plan.shop.is_done(item))
    return [*lines, f"{plan.words}; {left / 60:.0f} min of one core left"]


def refuse_other_settings(settings: ProofSettings, out: Path) -> None:
    """A folder belongs to one experiment; how much of it is done may change."""
    fixed = {key: value for key, value in settings.as_dict().items() if key not in MAY_CHANGE}
    generator(settings.model)  # missing weights are refused before anything is written
    path = out / SETTINGS
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(fixed, indent=1) + "\n")
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    changed = sorted(key for key in fixed.keys() | before.keys() if fixed.get(key) != before.get(key))
    if changed:
        raise StructDiffError(f"{out} belongs to an experiment with other {', '.join(changed)}", "choose another --out")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", type=Path, help="YAML file")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, help="stop between items (and inside a training) after so long")
    parser.add_argument("--only", nargs="+", metavar="ARM", help="these arms instead of the file's")
    parser.add_argument("--status", action="store_true", help="show what is done and report; make nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
