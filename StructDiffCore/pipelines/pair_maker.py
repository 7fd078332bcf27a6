"""One training pair by a plan: a mask (new, or one at hand), a template, a synthesis; then arrays at the network's voxel size."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from StructDiffCore.cal.cases import PairFiles, pairs_of
from StructDiffCore.cal.data import scheme_of
from StructDiffCore.cal.made_pairs import pair_name, size_of
from StructDiffCore.cal.pair_plan import PairOrder, PairPlan
from StructDiffCore.cal.pair_record import PairRecord
from StructDiffCore.cal.prepared import prepared_as, wanted_trust
from StructDiffCore.cal.settings import PretrainSettings
from StructDiffCore.config.messages import Event, Job
from StructDiffCore.domain import StructDiffError
from StructDiffCore.io.manifest import read_manifest
from StructDiffCore.training.seeds import seed_of

from . import synthesize
from .batch_job import template_files
from .last_used import LastUsed
from .masks_files import write_mask
from .masks_inputs import NamedReference, prepared, read_references

MASK_TRIES = 3
"""Masks drawn for one pair before the plan is given up."""
PARTIAL = ".making."


class PairMaker:
    """Makes the pair of a number in a cache folder; the same number gives the same voxels."""

    def __init__(self, job: Job) -> None:
        """``job``: inputs base (folder that the scheme's file counts from) and plans, settings those of the pre-training."""
        self.folder, self.device = Path(job.out), job.device
        self.settings = PretrainSettings.from_dict(job.settings)
        self.scheme = scheme_of(self.settings, Path(job.inputs["base"]))
        self.plans = [PairPlan.read(Path(path)) for path in job.inputs["plans"]]
        self._record, self._kept = PairRecord(self.folder), LastUsed()
        self._references: dict[Path, list[NamedReference]] = {}
        clear_partials(self.folder)

    def make(self, number: int) -> Generator[Event, None, None]:
        """Progress events; leaves the pair's folder, then its line in the record. Nothing half-made stays."""
        started = time.monotonic()
        turn, which = divmod(number, len(self.plans))
        plan, place = self.plans[which], self.folder / f"{PARTIAL}{os.getpid()}"
        shutil.rmtree(place, ignore_errors=True)
        try:
            place.mkdir()
            files, told = yield from self._synthesised(plan, plan.order(turn), place)
            trust = wanted_trust(files, self.settings)
            case = prepared_as(pair_name(number), files, self.folder, self.settings, self.scheme, trust)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        seconds = {"seconds": round(time.monotonic() - started, 1)}
        self._record.append(number, {"bytes": size_of(case.folder), **seconds, **told, **case.note})

    def _synthesised(
        self, plan: PairPlan, order: PairOrder, place: Path
    ) -> Generator[Event, None, tuple[PairFiles, dict[str, Any]]]:
        """The sample's files and what is told of it."""
        mask = order.mask or self._new_mask(plan, order, place / "mask")
        image, labels = template_files(order.template)
        inputs = {"mask": str(mask), "template_image": str(image), "template_mask": str(labels)}
        job = Job("synthesize", inputs, _settings(plan), str(place / "made"), order.seed, self.device)
        with closing(synthesize.run(job, self._kept)) as events:  # type: ignore[type-var]  # it is a generator
            for event in events:
                if event.event != "finished":
                    yield event
        (files,) = pairs_of(place / "made" / "sample-000")
        manifest = read_manifest(place / "made" / "sample-000")
        name = f"{plan.path.stem}/{mask.parent.name if order.mask is None else mask.name}"
        quality = manifest.get("quality", {}).get("verdict")
        told = {"mask": name, "template": order.template.name, "seed": order.seed, "quality": quality, "parents": files.parents}
        return replace(files, id=name), told

    def _new_mask(self, plan: PairPlan, order: PairOrder, place: Path) -> Path:
        """A mask grown by MGM; a draw that finds none is made again with another seed, a few times."""
        from StructDiffCore.mgm.generate import new_masks

        references = self._prepared(plan)
        for attempt in range(MASK_TRIES):
            seed = seed_of(order.mask_seed, attempt)
            try:
                (made,) = new_masks([one.reference for one in references], 1, seed)
            except StructDiffError:
                if attempt == MASK_TRIES - 1:
                    raise
            else:
                place.mkdir()
                write_mask(place, made, seed, references)
                break
        return place / "mask.seg.nrrd"

    def _prepared(self, plan: PairPlan) -> list[NamedReference]:
        if plan.path not in self._references:
            masks = read_references([str(path) for path in plan.references], plan.batch.settings.get("scheme"))
            self._references[plan.path] = prepared(masks, plan.repair)
        return self._references[plan.path]


def _settings(plan: PairPlan) -> Mapping[str, Any]:
    return {**plan.batch.settings, "samples": 1}


def clear_partials(folder: Path) -> None:
    """Remove what processes that are gone have half made."""
    for path in (*folder.glob(f"{PARTIAL}*"), *folder.glob(".pair-*.partial")):
        writer = path.name.removesuffix(".partial").rpartition(".")[2]
        if not writer.isdigit() or not psutil.pid_exists(int(writer)):
            shutil.rmtree(path, ignore_errors=True)
