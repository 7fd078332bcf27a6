"""The YAML file of a job: there, readable, a table."""

from __future__ import annotations

from pathlib import Path

from StructDiffCore.config.messages import Job
from StructDiffCore.domain import StructDiffError


def config_path(job: Job) -> Path:
    """The job's ``inputs.config``; refuses a missing one and a folder."""
    given = job.inputs.get("config")
    if not given:
        raise StructDiffError("the job names no settings file", "give inputs.config")
    path = Path(given)
    if path.is_dir():
        raise StructDiffError(f"{path} is a folder", "give a YAML file")
    if not path.is_file():
        raise StructDiffError(f"no settings file at {path}", "give the path of a YAML file")
    return path


def out_folder(job: Job) -> Path:
    """The job's output folder; refuses none and a file."""
    if not job.out:
        raise StructDiffError("no output folder given", "give --out DIR")
    path = Path(job.out).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise StructDiffError(f"the output folder {path} is a file", "choose another --out")
    return path
