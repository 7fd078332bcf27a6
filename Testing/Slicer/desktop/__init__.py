"""A desktop without Slicer's desktop: stand-ins for qt, ctk, qMRML widgets and the application, on PySide6 and real MRML.

``install()`` before anything of StructDiffSlicer is imported. Every name has its original's name and signature: the list
upstream_names.json, made from Slicer's and CTK's sources, is compared with what the code uses.
"""

import ctypes
import os
import sys
import types
from pathlib import Path

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "StructDiffSlicer"


def install():
    """Put the stand-ins into sys.modules; once."""
    if "qt" in sys.modules:
        return
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    _lendConstants()
    from . import application, qtModule

    qtModule.install(MODULE_FOLDER)
    application.install()


def open(runtime):
    """Give the application this runtime's scene and module logics."""
    import slicer

    slicer.mrmlScene = runtime.scene
    logics = {name.lower(): types.SimpleNamespace(logic=lambda logic=logic: logic) for name, logic in runtime.logics.items()}
    slicer.modules = types.SimpleNamespace(**logics)


def _lendConstants():
    """PySide counts on Python 3.12's immortal None, True and False: setters and signals give a reference away at every call."""
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 10**9
