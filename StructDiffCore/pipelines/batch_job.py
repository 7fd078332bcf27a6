"""One row of a batch: a synthesize job whose id says what decides its voxels, so that what exists is known again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from StructDiffCore.config.batch_plan import BatchPlan, PlannedTemplate
from StructDiffCore.config.messages import Job
from StructDiffCore.config.resources import resources_folder
from StructDiffCore.config.synthesis_request import SynthesisRequest
from StructDiffCore.domain import StructDiffError

from .models import weights_path
from .synthesize import seed_of_sample

ID_DIGITS = 12


@dataclass(frozen=True)
class BatchJob:
    """What is to be made and where."""

    id: str
    mask: str
    template: str
    job: Job

    @property
    def folder(self) -> Path:
        return Path(self.job.out)

    @property
    def sample(self) -> Path:
        return self.folder / "sample-000"

    @property
    def is_made(self) -> bool:
        """A sample folder appears whole, with its manifest, or not at all."""
        return (self.sample / "manifest.json").is_file()

    def as_dict(self) -> dict[str, object]:
        """JSON form, for plan.json and failed.jsonl."""
        return {"id": self.id, "mask": self.mask, "template": self.template, "seed": self.job.seed, "folder": self.folder.name}


def batch_jobs(plan: BatchPlan, out: Path, device: str) -> Iterator[BatchJob]:
    """All jobs of a plan, in the order of its table; refuses settings that synthesize would refuse."""
    for mask_name, mask, template in plan.pairs:
        image, template_mask = template_files(template)
        for number in range(plan.samples):
            inputs = {"mask": str(mask), "template_image": str(image), "template_mask": str(template_mask)}
            settings = {**plan.settings, "samples": 1}
            job = Job("synthesize", inputs, settings, seed=seed_of_sample(plan.seed, number), device=device)
            identity = job_id(job)
            name = f"{mask_name}--{template.name}--{identity}"
            yield BatchJob(identity, mask_name, template.name, Job(**{**vars(job), "out": str(out / name)}))


def job_id(job: Job) -> str:
    """Digest of weights, mask, template, seed, sampler and the other settings; the device and file names do not count."""
    request = SynthesisRequest.from_job(job)
    parts = {
        "weights": digest_of(weights_path(request.generator.model)),
        "mask": digest_of(request.mask),
        "template": [digest_of(request.template_image), digest_of(request.template_mask)],
        "seed": job.seed,
        "settings": request.generator.settings.as_dict(),
        "scheme": _scheme_identity(job.settings.get("scheme")),
        "resample": request.resample,
        "correspondence": {str(target): source for target, source in request.correspondence.items()},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:ID_DIGITS]


def _scheme_identity(scheme: str | None) -> str | None:
    """A shipped scheme's name, or the digest of a file."""
    return digest_of(Path(scheme)) if scheme and Path(scheme).is_file() else scheme


def template_files(template: PlannedTemplate) -> tuple[Path, Path]:
    """Image and mask of a planned template; a name alone is a shipped one's."""
    if template.image is not None and template.mask is not None:
        return template.image, template.mask
    from StructDiffCore.preprocess.template_files import pairs_in

    shipped = {pair.id: pair for pair in pairs_in(resources_folder() / "Templates") if not pair.problem}
    if template.name not in shipped:
        raise StructDiffError(
            f"no shipped template '{template.name}'", f"choose one of {', '.join(shipped)} or give image and mask"
        )
    return shipped[template.name].image, shipped[template.name].masks[0]


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of a DICOM folder's files in the order of their names; each state of a file is read once."""
    try:
        files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
        digests = [_digest(file, file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    except OSError as error:
        raise StructDiffError(f"{path} cannot be read ({error.strerror or error})", "check the plan") from None
    return hashlib.sha256("".join(digests).encode()).hexdigest()


@cache
def _digest(file: Path, mtime_ns: int, size: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
