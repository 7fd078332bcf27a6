"""What Slicer imports loads with numpy, scipy and SimpleITK alone, and refuses in one line where numba is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import StructDiffCore

ABSENT = (
    "einops",
    "jsonargparse",
    "lightning_fabric",
    "matplotlib",
    "monai",
    "networkx",
    "nibabel",
    "numba",
    "psutil",
    "pydicom",
    "rich",
    "safetensors",
    "skimage",
    "torch",
    "yaml",
)
ROOMS = ("domain", "config", "io", "preprocess", "topology", "measures", "vessels", "mgm")

BLOCKER = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name.partition(".")[0])

sys.meta_path.insert(0, Blocker())
"""


def in_a_bare_python(code: str) -> str:
    """What ``code`` prints in a child process that has none of the ABSENT packages."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKER + code], capture_output=True, text=True, cwd=Path(StructDiffCore.__file__).parents[1]
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_blocker_blocks():
    assert in_a_bare_python("try:\n    import torch\nexcept ModuleNotFoundError as error:\n    print(error.name)") == "torch\n"


def test_every_room_that_slicer_imports_loads_bare():
    folder = Path(StructDiffCore.__file__).parent
    files = [path for room in ROOMS for path in sorted((folder / room).glob("*.py"))]
    names = [f"StructDiffCore.{path.parent.name}.{path.stem}".removesuffix(".__init__") for path in files]
    code = f"import importlib\nfor name in {names!r}:\n    importlib.import_module(name)\nprint('all')"
    assert in_a_bare_python(code) == "all\n"


def test_files_are_read_and_written_bare(tmp_path):
    code = f"""
import numpy as np
from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, Volume
from StructDiffCore.io.files import read_pair, write_label_map, write_volume
from StructDiffCore.io.schemes import load_scheme, save_scheme
grid = Geometry((6, 7, 8), (0.5, 0.6, 0.7))
write_volume(Volume(np.full(grid.shape, -50.0), grid), {str(tmp_path / "a.nii.gz")!r})
write_label_map(LabelMap(np.full(grid.shape, 6), grid, CARDIAC), {str(tmp_path / "m.seg.nrrd")!r})
save_scheme(CARDIAC, {str(tmp_path / "s.json")!r})
scheme = load_scheme({str(tmp_path / "s.json")!r})
print(read_pair({str(tmp_path / "a.nii.gz")!r}, {str(tmp_path / "m.seg.nrrd")!r}, scheme).mask.present)
"""
    assert in_a_bare_python(code) == "(6,)\n"


def test_the_topology_line_is_told_bare():
    code = """
import numpy as np
from StructDiffCore.domain import CARDIAC, Geometry
from StructDiffCore.topology.line import line_of
labels = np.zeros((9, 9, 9), np.uint8)
labels[1:8, 4, 4] = 8
print(line_of(labels, 8, Geometry(labels.shape), CARDIAC))
"""
    assert in_a_bare_python(code) == "LCA: 1 piece, 0 loops; ends need numba\n"


def test_compiled_work_refuses_in_one_line_without_numba():
    code = """
import numpy as np
from StructDiffCore.domain import StructDiffError
from StructDiffCore.topology.thinning import centreline
try:
    centreline(np.ones((4, 4, 4), bool))
except StructDiffError as refusal:
    print(refusal.category, "|", refusal.remedy)
"""
    assert in_a_bare_python(code) == "missing_dependency | install numba (pip install numba) and try again\n"


def test_pairs_are_exported_and_templates_listed_bare(tmp_path):
    code = f"""
import json
from pathlib import Path
import numpy as np
from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, Volume
from StructDiffCore.io.export import export_pairs
from StructDiffCore.io.export_pair import ExportPair
from StructDiffCore.preprocess.template_library import template_library
from StructDiffCore.preprocess.template_ranking import rank
grid = Geometry((6, 7, 8), (0.5, 0.6, 0.7))
mask = LabelMap(np.full(grid.shape, 6), grid, CARDIAC)
passed = {{"topology": {{"verdict": "pass"}}, "quality": {{"verdict": "pass"}}}}
pair = ExportPair("a", Volume(np.full(grid.shape, -50.0), grid), mask, None, passed)
for form in ("nrrd", "nifti", "nnunet", "msd"):
    print(len(export_pairs([pair], form, Path({str(tmp_path)!r}) / form).paths), end=" ")
print(rank(template_library(), mask)[0].why.partition(";")[0])
"""
    assert in_a_bare_python(code) == "1 1 1 1 has 1 of 1 labels\n"


def test_dicom_refuses_in_one_line_without_pydicom(tmp_path):
    code = f"""
import numpy as np
from pathlib import Path
from StructDiffCore.domain import Geometry, StructDiffError, Volume
from StructDiffCore.io.dicom_export import write_ct_series
grid = Geometry((4, 4, 4))
try:
    write_ct_series(Volume(np.zeros(grid.shape), grid), Path({str(tmp_path)!r}) / "CT", "a")
except StructDiffError as refusal:
    print(refusal.category, "|", refusal.remedy)
"""
    assert in_a_bare_python(code) == "missing_dependency | install pydicom\n"
