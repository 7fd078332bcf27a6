"""Where the worker runs: Slicer's own Python or another one; what it lacks, and how that is installed after asking."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .translation import _
from .workerProcess import WorkerProcess

PYTHON_VARIABLE = "STRUCTDIFF_PYTHON"
"""Environment variable that names the worker's Python, before any setting."""
PYTHON_SETTING = "StructDiff/Python"
TORCH_REQUIREMENT = ">=2.8"
SIZES = {
    "torch": ("200 MB - 3 GB", "BSD-3-Clause"),
    "scipy": ("40 MB", "BSD-3-Clause"),
    "numba": ("45 MB", "BSD-2-Clause"),
    "matplotlib": ("30 MB", "PSF-based"),
    "psutil": ("1 MB", "BSD-3-Clause"),
    "pydicom": ("3 MB", "MIT"),
}
"""Package -> (download, licence), told before anything is installed."""


def coreFolder():
    """The folder that holds the bundled StructDiffCore; goes onto the worker's path."""
    import StructDiffCore

    return Path(StructDiffCore.__file__).resolve().parent.parent


@dataclass(frozen=True)
class Worker:
    """A Python that runs jobs with the bundled core."""

    python: str
    ownPython: bool
    """It is Slicer's own: packages go there through slicer.packaging; another Python is the user's business."""

    def start(self, jobFile):
        """A running ``structdiff work jobFile``; raises OSError where the Python cannot be started."""
        command = [self.python, "-u", "-m", "StructDiffCore.cli", "work", jobFile]
        return WorkerProcess(command, self.environment(), Path(jobFile).parent)

    def environment(self):
        """UTF-8, unbuffered, the bundled core first; another Python sees nothing of Slicer's own paths."""
        base = dict(os.environ) if self.ownPython else startupEnvironment()
        path = [str(coreFolder()), base.get("PYTHONPATH", "")] if self.ownPython else [str(coreFolder())]
        return {
            **{name: value for name, value in base.items() if self.ownPython or name != "PYTHONHOME"},
            "PYTHONPATH": os.pathsep.join(part for part in path if part),
            "PYTHONUTF8": "1",
            "PYTHONIOENCODING": "utf-8",
            "PYTHONUNBUFFERED": "1",
        }


def startupEnvironment():
    """The environment that Slicer was started from, without what its launcher added."""
    import slicer

    if hasattr(getattr(slicer, "app", None), "startupEnvironment"):
        return slicer.util.startupEnvironment()
    return dict(os.environ)


def slicersPython():
    """PythonSlicer where there is one, else the running interpreter."""
    return shutil.which("PythonSlicer") or sys.executable


def chosenWorker(settings):
    """The worker by environment variable, else by the user's setting (QSettings-like), else Slicer's own Python."""
    chosen = os.environ.get(PYTHON_VARIABLE) or settings.value(PYTHON_SETTING) or ""
    if chosen:
        return Worker(str(chosen), ownPython=False)
    return Worker(slicersPython(), ownPython=True)


def choosePython(settings, path):
    """Remember another Python for the worker; an empty path means Slicer's own again."""
    settings.setValue(PYTHON_SETTING, str(path))


def missingPackages(checks):
    """Names of the packages that a ``doctor`` run found missing and that the worker needs."""
    return [check["what"] for check in checks if check["state"] == "missing" and check["what"] in SIZES]


def question(missing):
    """Size and licence of everything that would be installed, before it is."""
    lines = [f"  {name}: {SIZES[name][0]}, {SIZES[name][1]}" for name in missing if name in SIZES]
    return "\n".join(
        (
            _("StructDiff needs these Python packages (download size, licence):"),
            *lines,
            "",
            _("They go into Slicer's own Python and are kept for the next time. Install them now?"),
        )
    )


def adviceForOtherPython(worker, missing):
    """What a user types to complete a Python that is not Slicer's."""
    names = " ".join(f'"torch{TORCH_REQUIREMENT}"' if name == "torch" else name for name in missing)
    return f"{worker.python} -m pip install {names}"


def install(missing, requirementsFile, folder=None):
    """Install into Slicer's Python what is missing; the user has agreed. ``folder``: wheels on disk, no internet.

    Raises RuntimeError with the reason; torch comes through the PyTorch extension unless a folder has it.
    """
    import slicer.packaging

    required = [str(one) for one in slicer.packaging.load_requirements(requirementsFile) if one.name in missing]
    if folder:
        torch = [f"torch{TORCH_REQUIREMENT}"] if "torch" in missing else []
        slicer.packaging.pip_install(["--no-index", "--find-links", str(folder), *required, *torch], requester="StructDiff")
        return
    if required:
        slicer.packaging.pip_ensure(required, requester="StructDiff", prompt_install=False)
    if "torch" in missing:
        _installTorch()


def _installTorch():
    """By the PyTorch extension, which picks the build that fits the graphics card."""
    try:
        import PyTorchUtils
    except ImportError:
        raise RuntimeError(_("install the PyTorch extension in the Extensions Manager, restart Slicer and try again")) from None
    logic = PyTorchUtils.PyTorchUtilsLogic()
    if logic.installTorch(askConfirmation=False, torchVersionRequirement=TORCH_REQUIREMENT) is None:
        raise RuntimeError(_("PyTorch was not installed"))
