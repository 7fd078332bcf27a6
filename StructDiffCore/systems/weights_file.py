"""Weights files: half-precision safetensors with metadata and a SHA-256 beside them; pickles and strangers are refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import StructDiffCore
from StructDiffCore.config.resources import resources_folder
from StructDiffCore.domain import StructDiffError

from .tensor_file import read_tensors, write_tensors

PICKLE_SUFFIXES = (".pt", ".pth", ".ckpt", ".pkl", ".bin")
PICKLE_MAGIC = (b"PK\x03\x04", b"\x80")
REMEDY = "give a .safetensors file written by 'structdiff train' or shipped with StructDiff"


@dataclass(frozen=True, eq=False)
class WeightsFile:
    """The tensors of one file and what its header says of them."""

    tensors: Mapping[str, Tensor]
    settings: Mapping[str, object]
    version: str
    sha256: str


def write_weights(path: Path, system: str, tensors: Mapping[str, Tensor], settings: Mapping[str, object]) -> str:
    """Write half-precision weights to a temporary name, rename, and return the file's SHA-256."""
    half = {name: tensor.detach().to("cpu", torch.float16) for name, tensor in tensors.items()}
    write_tensors(path, half, {"system": system, "version": StructDiffCore.__version__, "settings": json.dumps(settings)})
    return sha256_of(path)


def read_weights(path: Path, system: str) -> WeightsFile:
    """Read the weights of ``system``; every reason to refuse is one StructDiffError."""
    _refuse_pickles(path)
    digest = sha256_of(path)
    _refuse_changed(path, digest)
    try:
        file = read_tensors(path)
        _refuse_strangers(path, file.metadata, system)
        return WeightsFile(file.tensors, json.loads(file.metadata["settings"]), file.metadata.get("version", ""), digest)
    except (OSError, KeyError, ValueError) as error:
        raise StructDiffError(f"{path} is not a readable weights file ({error})", REMEDY) from None


def sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise StructDiffError(f"no weights at {path}", REMEDY) from None
    except OSError as error:
        raise StructDiffError(f"{path} cannot be read ({error.strerror})", REMEDY) from None


def _refuse_pickles(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError:
        start = b""
    if path.suffix.lower() in PICKLE_SUFFIXES or start.startswith(PICKLE_MAGIC):
        raise StructDiffError(f"{path} is a pickle, which can run any code when read", REMEDY)


def _refuse_changed(path: Path, digest: str) -> None:
    """A file with a JSON beside it must hash to what the JSON says; a shipped file must have that JSON."""
    card = path.with_suffix(".json")
    if not card.is_file():
        if path.resolve().parent == (resources_folder() / "Models").resolve():
            raise StructDiffError(f"{path.name} has no {card.name} with its SHA-256 beside it", "install StructDiff again")
        return
    try:
        expected = json.loads(card.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        raise StructDiffError(f"{card} holds no SHA-256", "install StructDiff again") from None
    if expected != digest:
        raise StructDiffError(
            f"{path.name} has SHA-256 {digest[:12]}..., its card says {str(expected)[:12]}...: changed or damaged",
            "install StructDiff again",
        )


def _refuse_strangers(path: Path, metadata: Mapping[str, str], system: str) -> None:
    found = metadata.get("system", "an unnamed system")
    if found != system:
        raise StructDiffError(f"{path} holds weights of {found}, expected {system}", REMEDY)
