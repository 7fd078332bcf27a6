"""Is PyTorch there, and whole? An installation that broke off half-way fails in many ways; all mean the same to the user."""

from __future__ import annotations

from StructDiffCore.domain import StructDiffError

REMEDY = "install PyTorch anew: pip install --force-reinstall torch (in 3D Slicer: the extension PyTorch)"


def require_torch() -> None:
    """Raise StructDiffError (missing_dependency) where torch is missing or half-installed."""
    fault = torch_fault()
    if fault:
        raise StructDiffError(fault, REMEDY, "missing_dependency")


def torch_fault() -> str:
    """What is wrong with torch, in words; empty where it works."""
    try:
        import torch

        torch.nn.functional.relu(torch.zeros(1))
    except ModuleNotFoundError as error:
        return "PyTorch is missing" if error.name == "torch" else f"PyTorch is half-installed (no module '{error.name}')"
    except Exception as error:  # ImportError, OSError of a library, AttributeError of an empty folder, ...
        return f"PyTorch is half-installed ({type(error).__name__}: {' '.join(str(error).split())[:160]})"
    return ""
