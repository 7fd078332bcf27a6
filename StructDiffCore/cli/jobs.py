"""Parsed arguments as a Job, the same noun that Slicer and the cluster send."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from StructDiffCore.config.messages import Job

SETTINGS = (
    "model",
    "preset",
    "ssv",
    "steps",
    "sampler",
    "temperature",
    "template_detail",
    "tile",
    "samples",
    "scheme",
    "resample",
    "read_back",
    "correspondence",
    "resume",
    "minutes",
    "init",
    "data",
    "count",
    "faults",
    "repair",
    "format",
    "force",
    "ignore_above",
    "ignore_below",
    "ending",
)
"""Arguments that travel as settings; those left at None are not sent."""


def job_of(arguments: Namespace) -> Job:
    """The job that a command line other than ``work`` asks for."""
    from StructDiffCore.config.messages import Job

    given = vars(arguments)
    return Job(
        verb=given["verb"],
        inputs=_inputs(given),
        settings={name: given[name] for name in SETTINGS if given.get(name) is not None},
        out=given.get("out") or "",
        seed=given.get("seed", 0),
        device=given.get("device", "auto"),
    )


def _inputs(given: dict[str, Any]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    if "mask" in given:
        inputs["mask"] = given["mask"]
    if "images" in given:
        inputs["images"] = given["images"]
    if given.get("against"):
        inputs["against"] = given["against"]
    if "masks" in given:
        inputs["masks"] = given["masks"]
    if given.get("recipe"):
        inputs["recipe"] = given["recipe"]
    if given.get("template"):
        inputs["template_image"], inputs["template_mask"] = given["template"]
    if "samples_in" in given:
        inputs["samples"] = given["samples_in"]
    if "plan" in given:
        inputs["config"] = given["plan"]
    if "config" in given:
        inputs["config"] = given["config"]
    return inputs
