"""A desktop without Slicer's desktop: stand-ins for qt, ctk, qMRML widgets and the application, on PySide6 and real MRML.

``install()`` before anything of StructDiffSlicer is imported. Every name has its original's name and signature: the list
upstream_names.json, made from Slicer's and CTK's sources, is compared with what the code uses.
"""

import os
import sys
from pathlib import Path

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "StructDiffSlicer"


def install():
    """Put the stand-ins into sys.modules; once."""
    if "qt" in sys.modules:
        return
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from . import application, qtModule

    qtModule.install(MODULE_FOLDER)
    application.install()
