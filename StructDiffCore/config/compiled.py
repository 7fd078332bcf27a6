"""``njit``: numba's where it is installed; else functions that import well and refuse, in one line, when they are called.

Slicer's own Python comes without numba: what only reads files and counts voxels must run there all the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn

from StructDiffCore.domain import StructDiffError

try:
    from numba import njit as _numbas_njit
except ImportError:
    _numbas_njit = None  # type: ignore[assignment]

HAS_NUMBA: bool = _numbas_njit is not None


def refuse_without_numba(what: str) -> NoReturn:
    """Raise the one error for work that needs compiled loops."""
    raise StructDiffError(
        f"{what} needs the Python package 'numba'", "install numba (pip install numba) and try again", "missing_dependency"
    )


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the same name that refuses when called."""

    @functools.wraps(function)
    def refuse(*given: Any, **named: Any) -> NoReturn:
        refuse_without_numba(f"{function.__module__.rpartition('.')[2]}.{function.__name__}")

    return refuse


def _njit_without_numba(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """As ``@njit`` and as ``@njit(cache=True)``."""
    return _refusing if function is None else _refusing(function)


njit: Any = _numbas_njit if HAS_NUMBA else _njit_without_numba
