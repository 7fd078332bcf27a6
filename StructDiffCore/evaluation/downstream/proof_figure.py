"""The proof as a picture: all arms with their intervals, and the dose curve."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from StructDiffCore.pictures.style import ACCENT, FAINT, INK, new_figure, save

from .arms import MAPS, Arm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .proof_report import Results

CURVES = {"": ("unweighted", FAINT), "CAL": ("CAL, our map", ACCENT),
          "strong doubt": ("CAL, strong doubt alone", "#ef6f6c"), "truth": ("known truth", "#7fd1ae"),
          "shuffled": ("our map shuffled", "#c792ea"), "shuffled truth": ("truth shuffled", "#82aaff")}  # fmt: skip


def draw_proof(results: Results, path: Path) -> Path:
    """Coronary Dice per arm on the left, over the dose on the right."""
    figure = new_figure(17, 1.8 + 0.42 * max(6, len(results.arms)))
    left, right = figure.subplots(
        1, 2, width_ratios=(1, 1), gridspec_kw={"left": 0.37, "right": 0.98, "top": 0.97, "wspace": 0.2}
    )
    _draw_arms(left, results)
    _draw_doses(right, results)
    for axes in (left, right):
        _dress(axes)
    return save(figure, path)


def _draw_arms(axes: Axes, results: Results) -> None:
    """One line per arm, the first at the top."""
    for row, arm in enumerate(results.arms):
        found = results.interval(arm.name, "coronaries", "Dice")
        colour = ACCENT if arm.source.startswith(("synthetic", "detailed")) else INK
        axes.plot([found.low, found.high], [-row, -row], color=colour, lw=2)
        axes.plot([found.mean], [-row], "o", color=colour)
    axes.set_yticks([-row for row in range(len(results.arms))], [arm.words for arm in results.arms])
    axes.set_xlabel("coronary Dice, mean and 95 % interval")


def _draw_doses(axes: Axes, results: Results) -> None:
    """Solid after fine-tuning, dashed before it."""
    for kind, tuned in product(("", *MAPS), (True, False)):
        arms = sorted((arm for arm in results.arms if _on_curve(arm, kind, tuned)), key=lambda arm: arm.dose)
        if not any(arm.confidence == kind for arm in arms):
            continue
        found = [results.interval(arm.name, "coronaries", "Dice") for arm in arms]
        name, colour = CURVES[kind]
        doses = [arm.dose for arm in arms]
        label = name if tuned else f"{name}, before fine-tuning"
        axes.plot(doses, [one.mean for one in found], "o-" if tuned else "o--", color=colour, label=label)
        axes.fill_between(doses, [one.low for one in found], [one.high for one in found], color=colour, alpha=0.12, lw=0)
    if axes.has_data():
        axes.legend(frameon=False, labelcolor=INK, fontsize=8, loc="lower left")
    axes.set_xlabel("vessel length without evidence, %")
    axes.set_ylabel("coronary Dice", color=INK)


def _on_curve(arm: Arm, kind: str, tuned: bool) -> bool:
    """Without errors the known truth doubts nothing: its curve starts with the unweighted arm."""
    same = arm.source == "synthetic" and arm.confidence == kind and arm.tuned == tuned and not arm.joint
    return same or (kind.endswith("truth") and arm == Arm("synthetic", tuned=tuned))


def _dress(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.tick_params(colors=INK)
    axes.xaxis.label.set_color(INK)
    for spine in axes.spines.values():
        spine.set_color(FAINT)
