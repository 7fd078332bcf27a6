"""The phantoms' page of truth: slices beside real scans, HU, noise spectra, edge widths, and how easily they are told apart.

    python Testing/Benchmarks/phantom_page.py --out DIR [--phantoms N] [--scans NAME ...]

Writes phantoms_NAME.png per scan and phantoms.json; for a scan with labelled structures also structures.png and structures.json.
Formation was tuned on cptacpda, tcgaov and ts_abdomen; one range (the noise's stretch) was widened after a look at ts_thorax.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from phantom_measures import EDGES, drawn_spectrum, edge_widths, noise_spectrum
from phantom_structures import Labelled, compared_structures, draw_structures, report_structures, structures_of_tissue

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import Geometry
from StructDiffCore.measures.patches import CLASSES, FEATURES, Patches, patches
from StructDiffCore.measures.realism import area_under_curve, cross_validated
from StructDiffCore.phantom.appearance import Appearance, draw_appearance
from StructDiffCore.phantom.formation import render
from StructDiffCore.phantom.heart import digital_heart

SCANS = {
    "ts_thorax_cta": "ts_thorax_cta_1p5mm_ct.nii.gz",
    "cptacpda": "cptacpda_C3N-00249_chest_ct.nii.gz",
    "tcgaov": "tcgaov_09-2043_abdomen_ct.nii.gz",
    "ts_abdomen": "ts_abdomen_ct_3mm_ct.nii.gz",
}
LABELLED = {"ts_thorax_cta": "ts_thorax_cta_1p5mm_labels.nii.gz"}
"""Label maps whose values 1, 2 and 3 are heart, pulmonary artery and aorta (true lumen)."""
SHOWN = 4
FIELD_MM = (190.0, 170.0, 160.0)
LOOKS_TRIED = 1500


@dataclass(frozen=True, eq=False)
class Scan:
    """Voxels (i, j, k) in HU with i to the left and j to the back (LPS), and their spacing."""

    name: str
    voxels: NDArray[np.float32]
    spacing: NDArray[np.float64]
    tissue: NDArray[np.uint8] | None = None


def real_scan(name: str, folder: Path) -> Scan:
    """A real scan, axes turned to LPS by flips."""
    voxels, spacing = _turned(folder / SCANS[name])
    return Scan(name, np.clip(voxels, -1024, 3071).astype(np.float32), spacing)


def _turned(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    image = sitk.ReadImage(str(path))
    flips = [bool(image.GetDirection()[4 * a] < 0) for a in range(3)]
    return sitk.GetArrayFromImage(sitk.Flip(image, flips)).transpose(2, 1, 0), np.array(image.GetSpacing())


def phantom(seed: int, spacing: NDArray[np.float64], look: Appearance) -> Scan:
    """A thorax-sized phantom on a grid like the real scan's."""
    shape = tuple(round(f / s) for f, s in zip(FIELD_MM, spacing))
    corner = (0.5 * FIELD_MM[0] - 15.0, 0.5 * FIELD_MM[1] - 10.0, -0.5 * FIELD_MM[2])
    geometry = Geometry(shape, tuple(spacing), corner, ((-1, 0, 0), (0, -1, 0), (0, 0, 1)))
    heart = digital_heart(seed, geometry)
    scan = render(heart, look, np.random.default_rng(seed))
    return Scan(f"phantom {seed}", scan.noisy.voxels, spacing, heart.tissue)


def looks(scan: Scan, count: int, matched: bool) -> list[Appearance]:
    """``count`` looks as drawn, or those of ``LOOKS_TRIED`` nearest to the scan in noise, spectrum, slices, blur and blood."""
    rng = np.random.default_rng(7)
    drawn = [draw_appearance(rng) for _ in range(LOOKS_TRIED if matched else count)]
    if not matched:
        return drawn
    seen = noise_spectrum(scan.voxels, scan.spacing, *CLASSES["soft"])
    bright = scan.voxels[(scan.voxels > 80) & (scan.voxels < 700)]
    blood = float(np.percentile(bright, 60))
    lung_edge = edge_widths(scan.voxels, scan.spacing, np.random.default_rng(0))["lung"]
    blur = np.sqrt(max(lung_edge**2 - (0.5 * scan.spacing[0]) ** 2, 0.04))

    def unlikeness(look: Appearance) -> float:
        noise = np.log(look.noise.sigma_hu * (1 + 0.5 * look.noise.radial_gain) / seen.sigma_hu)
        shape = np.nansum(np.abs(drawn_spectrum(look.noise, seen) - seen.power)[seen.per_mm > 0.1])
        thickness = np.log(look.slice_thickness_mm / min(scan.spacing[2], 2.5))
        level = np.log(look.hu["LV"] / blood)
        spread = np.log(look.point_spread.sigma_mm / blur)
        return float(4 * noise**2 + 4 * shape**2 + level**2 + thickness**2 + 2 * spread**2 + (look.motion.kind != "none"))

    return sorted(drawn, key=unlikeness)[:count]


def told_apart(real: Patches, fake: Patches) -> dict[str, Any]:
    """Areas under the curve by patch class and in all, and the worst tells."""
    label = np.r_[np.ones(len(real.kind), bool), np.zeros(len(fake.kind), bool)]
    features, kinds = np.vstack([real.features, fake.features]), np.r_[real.kind, fake.kind]
    region = np.r_[real.region, fake.region]
    result: dict[str, Any] = {"classes": {}}
    for kind in CLASSES:
        chosen = kinds == kind
        if label[chosen].sum() < 40 or (~label[chosen]).sum() < 40:
            continue
        verdict = cross_validated(features[chosen], label[chosen], region[chosen])
        single = {name: area_under_curve(features[chosen, f], label[chosen]) for f, name in enumerate(FEATURES)}
        tells = sorted(single.items(), key=lambda item: -abs(item[1] - 0.5))[:4]
        heaviest = FEATURES[int(np.argmax(np.abs(verdict.weights)))]
        result["classes"][kind] = {"auc": verdict.area, "tells": dict(tells), "heaviest weight": heaviest}
    result["auc"] = float(np.mean([entry["auc"] for entry in result["classes"].values()]))
    return result


def joined(parts: list[Patches]) -> Patches:
    """Patches of several phantoms; each phantom is a region of its own."""
    region = np.concatenate([np.full(len(p.kind), n) for n, p in enumerate(parts)])
    return Patches(np.vstack([p.features for p in parts]), np.concatenate([p.kind for p in parts]), region)


def measured(scan: Scan) -> dict[str, Any]:
    """Noise and edges of one scan."""
    rng = np.random.default_rng(0)
    spectra = {kind: noise_spectrum(scan.voxels, scan.spacing, *CLASSES[kind]) for kind in ("soft", "fat", "blood")}
    return {
        "noise_hu": {kind: s.sigma_hu for kind, s in spectra.items()},
        "spectrum": {kind: [s.per_mm.tolist(), s.power.tolist()] for kind, s in spectra.items()},
        "edge_sigma_mm": edge_widths(scan.voxels, scan.spacing, rng),
    }


def compared(scan: Scan, count: int) -> tuple[dict[str, Any], list[Scan]]:
    """One real scan against phantoms on its grid, looks as drawn and looks nearest to it."""
    real = patches(scan.voxels[_box_mm(scan)], scan.spacing, np.random.default_rng(1))
    result: dict[str, Any] = {"real": measured(scan)}
    shown: list[Scan] = []
    for mode in ("drawn", "matched"):
        fakes = [phantom(seed, scan.spacing, look) for seed, look in enumerate(looks(scan, count, mode == "matched"))]
        found = [patches(f.voxels, f.spacing, np.random.default_rng(n), 250 // count + 20) for n, f in enumerate(fakes)]
        result[mode] = {**told_apart(real, joined(found)), "phantoms": [measured(f) for f in fakes]}
        shown += fakes[:SHOWN]
    return result, shown


def draw(scan: Scan, result: dict[str, Any], fakes: list[Scan], path: Path) -> None:
    """Rows of axial, coronal and lung-window slices; then HU, spectra, edges and the verdict."""
    columns = 2 * SHOWN + 1
    figure = plt.figure(figsize=(2.5 * columns, 10.5))
    rows = figure.add_gridspec(2, 1, height_ratios=(3, 1.1), hspace=0.08)
    grid = rows[0].subgridspec(3, columns, wspace=0.02, hspace=0.02)
    for column, shown in enumerate([scan, *fakes]):
        axes = [figure.add_subplot(grid[row, column]) for row in range(3)]
        _slices(axes, shown, "" if column == 0 else ("drawn" if column <= SHOWN else "matched"))
    _curves([figure.add_subplot(part) for part in rows[1].subgridspec(1, 6, wspace=0.25)], scan, result, fakes)
    figure.savefig(path, dpi=75, bbox_inches="tight")
    plt.close(figure)


def _box_mm(scan: Scan) -> tuple[slice, ...]:
    """The phantoms' field in the middle of a larger scan."""
    sizes = [min(n, round(f / s)) for n, f, s in zip(scan.voxels.shape, FIELD_MM, scan.spacing)]
    return tuple(slice((n - size) // 2, (n - size) // 2 + size) for n, size in zip(scan.voxels.shape, sizes))


def _slices(axes: list[Any], scan: Scan, note: str) -> None:
    voxels = scan.voxels[_box_mm(scan)]
    middle = [n // 2 for n in voxels.shape]
    aspect = scan.spacing[2] / scan.spacing[0]
    soft, lung = {"cmap": "gray", "vmin": -200, "vmax": 500}, {"cmap": "gray", "vmin": -1050, "vmax": -300}
    axes[0].imshow(voxels[:, :, middle[2]].T, **soft)
    axes[1].imshow(voxels[:, middle[1], ::-1].T, aspect=aspect, **soft)
    axes[2].imshow(voxels[:, :, middle[2]].T, **lung)
    axes[0].set_title(f"{scan.name} {note}", fontsize=9)
    for axis in axes:
        axis.axis("off")


def _curves(axes: list[Any], scan: Scan, result: dict[str, Any], fakes: list[Scan]) -> None:
    bins = np.arange(-1050, 900, 15)
    for shown, style in [(scan, "k-"), *((f, "r-") for f in fakes[SHOWN:]), *((f, "b:") for f in fakes[:SHOWN])]:
        inside = shown.voxels[_box_mm(shown)]
        inside = inside[inside > -980]
        axes[0].semilogy(bins[:-1], np.histogram(inside, bins)[0] / len(inside) + 1e-6, style, lw=0.8)
    axes[0].set_title("HU: black real, red matched, blue drawn", fontsize=8)
    for axis, kind in zip(axes[1:4], ("soft", "fat", "blood")):
        for mode, style in (("drawn", "b:"), ("matched", "r-")):
            for entry in result[mode]["phantoms"]:
                axis.plot(*entry["spectrum"][kind], style, lw=0.7)
        axis.plot(*result["real"]["spectrum"][kind], "k-", lw=2)
        axis.set_title(f"noise power, {kind}, per mm; real {result['real']['noise_hu'][kind]:.0f} HU", fontsize=8)
    for place, name in enumerate(EDGES):
        for mode, colour in (("drawn", "b"), ("matched", "r")):
            values = [p["edge_sigma_mm"][name] for p in result[mode]["phantoms"]]
            axes[4].plot([place] * len(values), values, colour + ".", ms=4)
        axes[4].plot(place, result["real"]["edge_sigma_mm"][name], "k_", ms=18, mew=3)
    axes[4].set_xticks(range(len(EDGES)), EDGES)
    axes[4].set_title("edge sigma, mm", fontsize=8)
    _verdict(axes[5], result)


def _verdict(axis: Any, result: dict[str, Any]) -> None:
    lines = [f"{mode}: AUC {result[mode]['auc']:.2f}" for mode in ("drawn", "matched")]
    for kind, entry in result["matched"]["classes"].items():
        lines.append(f"{kind} {entry['auc']:.2f}: " + ", ".join(f"{n} {a:.2f}" for n, a in list(entry["tells"].items())[:2]))
    axis.text(0, 0.95, "\n".join(lines), fontsize=8, va="top")
    axis.axis("off")


def structures(scan: Scan, fakes: list[Scan], folder: Path, out: Path) -> None:
    """Measures and picture of the scan's structures beside the phantoms'."""
    values = _turned(folder / LABELLED[scan.name])[0]
    real = Labelled(scan.name, scan.voxels, np.where(values <= 3, values, 0).astype(np.uint8), scan.spacing)
    phantoms = [Labelled(f.name, f.voxels, structures_of_tissue(f.tissue), f.spacing) for f in fakes if f.tissue is not None]
    result = compared_structures(real, phantoms)
    report_structures(result)
    draw_structures(real, phantoms, result, out / "structures.png")
    (out / "structures.json").write_text(json.dumps(result, indent=1), encoding="utf-8")


def report(name: str, result: dict[str, Any]) -> None:
    """The verdict in words."""
    for mode in ("drawn", "matched"):
        print(f"{name}, looks {mode}: real-versus-phantom AUC {result[mode]['auc']:.3f} (0.5 = cannot tell)")
        for kind, entry in result[mode]["classes"].items():
            tells = ", ".join(f"{feature} {area:.2f}" for feature, area in entry["tells"].items())
            print(f"    {kind:6s} {entry['auc']:.3f}  worst tells: {tells}; heaviest weight: {entry['heaviest weight']}")
        widths = {edge: [p["edge_sigma_mm"][edge] for p in result[mode]["phantoms"]] for edge in EDGES}
        text = ", ".join(f"{e} {result['real']['edge_sigma_mm'][e]:.2f} / {np.nanmedian(v):.2f}" for e, v in widths.items())
        print(f"    edge sigma mm, real / phantom: {text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--phantoms", type=int, default=6, help="phantoms per real scan and mode")
    parser.add_argument("--scans", nargs="+", default=["ts_thorax_cta", "cptacpda"], choices=sorted(SCANS))
    arguments = parser.parse_args()
    folder = shared_data_folder()
    if folder is None:
        raise SystemExit("no real scans in ../shared/data: nothing to compare with")
    arguments.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for name in arguments.scans:
        scan = real_scan(name, folder)
        results[name], shown = compared(scan, arguments.phantoms)
        report(name, results[name])
        draw(scan, results[name], shown, arguments.out / f"phantoms_{name}.png")
        if name in LABELLED:
            structures(scan, shown[len(shown) // 2 :], folder, arguments.out)
        (arguments.out / "phantoms.json").write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
