"""DATASHEET.md of a synthetic data set, under the headings of Gebru et al., Datasheets for Datasets (2021)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any


def datasheet(told: Mapping[str, Any], manifests: Sequence[Mapping[str, Any]]) -> str:
    """Markdown from what dataset.json tells and the samples' manifests; says where a person must add what nobody told."""
    parts = (_head, _motivation, _composition, _collection, _preprocessing, _uses, _distribution, _maintenance)
    return "\n".join(line for part in parts for line in part(told, manifests)) + "\n"


Told = Mapping[str, Any]
Manifests = Sequence[Mapping[str, Any]]


def _head(told: Told, manifests: Manifests) -> Iterator[str]:
    yield f"# Datasheet: {told['name']}, version {told['version']}"
    yield ""
    yield f"Content SHA-256 `{told['content_sha256']}` (of the digests in dataset.json)."
    yield "Written by StructDiff from what it knows; lines with **to be added** are for the people who made the data set."


def _motivation(told: Told, manifests: Manifests) -> Iterator[str]:
    yield from ("", "## Motivation", "")
    yield "Synthetic CT volumes with exact label masks, to pre-train or test segmenters where labelled scans are few."
    yield ""
    yield "For which task, by whom, and who paid for it: **to be added**."


def _composition(told: Told, manifests: Manifests) -> Iterator[str]:
    counts = told["counts"]
    yield from ("", "## Composition", "")
    yield f"- {counts['samples']} synthetic volumes from {counts['masks']} masks and {counts['templates']} templates;"
    yield f"  {counts['failed_jobs']} jobs of the plan failed and are not in it."
    yield "- Each sample: an image with noise (int16 HU), one without, the mask asked for, a manifest; confidence maps if made."
    yield (
        f"- Labels (scheme {', '.join(told['scheme'])}): " + ", ".join(f"{v} {name}" for v, name in told["labels"].items()) + "."
    )
    yield f"- {_references(manifests)}"
    yield "- Samples that share a mask, a template or an ancestor of one are relatives: keep them on one side of a split."
    yield "- No image is a scan of a person. Each carries the appearance, and may carry detail, of its template."
    yield ""
    yield "### Verdicts"
    yield ""
    topology, quality = (_counted(one[key] for one in told["samples"]) for key in ("topology", "quality"))
    yield f"- Topology of the masks against their scheme: {topology}."
    yield f"- Brightness of the labels against the template: {quality}{_off(manifests)}."
    yield ""
    yield "### Confidence"
    yield ""
    yield from _confidence(manifests)


def _collection(told: Told, manifests: Manifests) -> Iterator[str]:
    yield from ("", "## Collection process", "")
    yield "Nothing was measured: a diffusion model made each volume from a mask and one template pair (image and mask)."
    yield ""
    yield f"- Generator weights (SHA-256): {', '.join(f'`{one}`' for one in told['generators_sha256'])}."
    yield f"- StructDiff {', '.join(told['software'])}."
    templates = ", ".join(f"{one['name']} (digest `{one['id']}`)" for one in told["templates"])
    yield f"- Templates: {templates}."
    for settings in told["settings"]:
        yield "- Settings: " + ", ".join(f"{name} {value}" for name, value in sorted(settings.items())) + "."
    yield "- The seed of every sample stands in dataset.json; the same job gives the same voxels."
    yield ""
    yield "Where the templates and masks come from, and under which consent and ethics vote: **to be added**."


def _preprocessing(told: Told, manifests: Manifests) -> Iterator[str]:
    yield from ("", "## Preprocessing, cleaning, labelling", "")
    yield "The template is aligned to the mask on shared labels and brought onto the mask's grid. The mask is the input, so the"
    yield "label is exact by construction; whether the image obeys it is what the verdicts and the confidence maps are for."
    yield "Acquisition noise is modelled from the template and added. No sample was removed for its verdict: both verdicts stand"
    yield "in every manifest."


def _uses(told: Told, manifests: Manifests) -> Iterator[str]:
    yield from ("", "## Uses", "")
    yield "- Meant for: pre-training segmenters (`structdiff pretrain`), testing software."
    yield "- Not for: diagnosis, a patient's record, or as evidence of how a method does on patients."
    yield "- Known limits: anatomy varies only as far as the masks do, appearance only as far as the templates do; small vessels"
    yield "  and structures without a label are the least certain."


def _distribution(told: Told, manifests: Manifests) -> Iterator[str]:
    yield from ("", "## Distribution", "")
    for what, words in told["licence_notes"].items():
        yield f"- {what}: {words}."
    yield "- names: folders, dataset.json and this sheet call masks and templates as the plan's files are called; see that none"
    yield "  names a patient before the data set leaves the house."
    yield ""
    yield "Licence of this data set: **to be added**."


def _maintenance(told: Told, manifests: Manifests) -> Iterator[str]:
    yield from ("", "## Maintenance", "")
    yield "dataset.json holds the SHA-256 of every file; loading checks them. The version rises when `structdiff synthesize-many`"
    yield "adds or replaces samples. Contact and updates: **to be added**."


def _counted(verdicts: Iterable[str]) -> str:
    return ", ".join(f"{verdict} {count}" for verdict, count in sorted(Counter(verdicts).items()))


def _off(manifests: Manifests) -> str:
    """Which labels are off in brightness, and how often."""
    labels = Counter(str(label) for told in manifests for label in (told.get("quality") or {}).get("off") or ())
    return f" (off: {', '.join(f'{label} in {count}' for label, count in labels.most_common())})" if labels else ""


def _references(manifests: Manifests) -> str:
    grown = sum(bool(told.get("mask_references")) for told in manifests)
    return f"{grown} samples have a mask that was made from reference masks (their digests are in the manifests)."


def _confidence(manifests: Manifests) -> Iterator[str]:
    records = [told["confidence"] for told in manifests if told.get("confidence")]
    if not records:
        yield "No confidence maps were made."
        return
    calibrated = sum("confidence_0_to_1" in told.get("files", {}) for told in manifests)
    methods = Counter(str(one.get("method")) for one in records)
    yield f"- Maps (standard deviation in HU): {', '.join(f'{name} for {count}' for name, count in methods.items())};"
    yield f"  calibrated to P(error <= X HU) on digital hearts for {calibrated} samples."
    medians: dict[str, list[float]] = {}
    for one in records:
        for name, value in one.get("median_hu", {}).items():
            medians.setdefault(name, []).append(float(value))
    spread = ", ".join(f"{name} {median(values):.0f}" for name, values in medians.items())
    yield f"- Median standard deviation in HU by label: {spread}."
    for words in sorted({str(one.get("worth")) for one in records}):
        yield f"- {words}"
