"""Draws Resources/Screenshots with Slicer's own views: confidence, coloured surface, findings, comparison.

    make screenshots        (.venv-slicer/bin/python Testing/Slicer/make_screenshots.py [--out FOLDER])

The volumes are synthesised on the spot (standard preset) from the shipped digital phantoms; no patient is shown.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "StructDiffSlicer"), str(ROOT / "Testing" / "Slicer")]
PLANES = (("Red", "Axial"), ("Green", "Coronal"), ("Yellow", "Sagittal"))
SIZE = (460, 400)
CAPTION_PIXELS = 26


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "Resources" / "Screenshots")
    parser.add_argument("--run", type=Path, help="folder of an earlier call: its synthetic volume is taken, or made there")
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(arguments.run or Path(folder))
        for name, draw in (("confidence", confidence), ("findings", faults), ("comparison", comparison), ("edit", edits)):
            picture, caption = draw(stage)
            save(picture, caption, out / f"slicer-{name}.png")
            print(f"written: {out / f'slicer-{name}.png'}")


class Stage:
    """The scene of one run: template, edited mask, synthetic volume, its confidence."""

    def __init__(self, folder):
        from slicerRuntime import SlicerRuntime
        from slicerViews import SlicerViews
        from StructDiffLib import maskEditing, results, templates
        from StructDiffLib.SceneBridge import SceneBridge

        from StructDiffCore.io.files import read_label_map
        from StructDiffCore.preprocess.template_library import shipped_mask_to_edit

        self.runtime = SlicerRuntime()
        self.scene, self.views = self.runtime.scene, SlicerViews(self.runtime)
        for name, plane in PLANES:
            self.views.slice(name, plane, SIZE)
        self.views.threeD(size=SIZE)
        self.bridge = SceneBridge(self.scene, self.runtime.logics)
        pair = next(entry for entry in templates.library() if entry.source == "shipped").read()
        self.template = self.bridge.addVolume(pair.image, "template (digital phantom)")
        self.template.GetDisplayNode().SetAutoWindowLevel(False)
        self.template.GetDisplayNode().SetWindowLevelMinMax(*results.CT_WINDOW_HU)
        self.templateMask = self.bridge.addSegmentation(pair.mask, "template mask")
        self.before = read_label_map(shipped_mask_to_edit())
        self.branch = max((row for row in maskEditing.branches(self.before) if not row.isRoot), key=lambda row: row.lengthMM)
        self.mask = self.bridge.addSegmentation(self.before, "mask")
        maskEditing.edit(self.bridge, self.mask, "lengthen", tree=self.branch.tree, branch=self.branch.branch, byMM=12.0)
        inputs = self.bridge.exportInputs(self.mask, self.template, self.templateMask, folder / "inputs")
        self.results = self.bridge.loadResults(synthesised(inputs, folder / "run"), "phantom run")
        self.image, self.deviation = self.results.imageNodes[0], self.results.confidenceNodes[0]
        self.show(self.results.maskNode)

    def show(self, *segmentations):
        """Only these masks, as outlines."""
        from StructDiffLib import display

        nodes = self.scene.GetNodesByClass("vtkMRMLSegmentationNode")
        nodes.UnRegister(None)
        for n in range(nodes.GetNumberOfItems()):
            nodes.GetItemAsObject(n).GetDisplayNode().SetVisibility(nodes.GetItemAsObject(n) in segmentations)
        for node in segmentations:
            display.showOutline(node)

    def slices(self, at):
        """The three slice views through a place, as pictures."""
        from slicerViews import picture
        from StructDiffLib import findings

        shown = [self.views.slice(name, plane, SIZE) for name, plane in PLANES]
        for view in shown:
            view.fit_view_to_content()
        findings.jump(self.scene, at, centred=False)
        return [picture(view) for view in shown]

    def threeD(self, zoom=0.0, fit=True):
        """The 3D view from the front, fitted to what it shows, then nearer by ``zoom``."""
        from slicerViews import picture

        view = self.views.threeD(size=SIZE)
        if fit:
            view.fit_view_to_content()
            view.zoom(zoom)
        return picture(view)


def synthesised(inputs, folder):
    """The ``finished`` event of a standard run in a child process of the Python that has torch, or of an earlier one."""
    from test_slicer_journey import synthesised as run

    note = folder.parent / "finished.json"
    if not note.is_file():
        settings = {"preset": os.environ.get("PRESET", "standard")}
        job = {"verb": "synthesize", "inputs": inputs, "settings": settings, "out": str(folder), "seed": 4, "device": "auto"}
        note.write_text(json.dumps(run(job, folder).finished), encoding="utf-8")
    return json.loads(note.read_text(encoding="utf-8"))


def confidence(stage):
    """Overlay with legend in three planes through the least sure vessel voxel, and the coloured vessel surface."""
    from slicerViews import side_by_side
    from StructDiffLib import display

    display.showConfidence(stage.scene, stage.image, stage.deviation)
    display.showLegend(stage.scene, stage.deviation)
    planes = stage.slices(stage.branch.positionRAS)
    display.colourSurface(stage.scene, stage.results.maskNode, stage.deviation)
    surface = stage.threeD(0.25)
    display.colourSurface(stage.scene, stage.results.maskNode, stage.deviation, on=False)
    display.showLegend(stage.scene, stage.deviation, False)
    display.hideConfidence(stage.scene)
    words = "Synthetic CT made from digital phantoms; in colour where the map expects errors (standard deviation, HU)"
    return side_by_side([planes[:2], [planes[2], surface]]), words


def faults(stage):
    """A mask with a fragment and a gap: points in the slices and in 3D."""
    import numpy as np
    from slicerViews import side_by_side
    from StructDiffLib import display, findings

    from StructDiffCore.domain import LabelMap

    voxels = stage.before.voxels.copy()
    world = stage.before.geometry.to_world(np.argwhere(voxels == stage.branch.tree))
    near = np.linalg.norm(world - stage.branch.positionRAS, axis=1) < 3.0
    voxels[tuple(np.argwhere(stage.before.voxels == stage.branch.tree)[near].T)] = 0
    broken = LabelMap(voxels, stage.before.geometry, stage.before.scheme)
    node = stage.bridge.addSegmentation(broken, "mask with a gap")
    rows = [row for row in findings.findingsOf(broken) if row.severity == "error"]
    points = stage.bridge.addFindings(rows)
    stage.show(node)
    display.showSurface(node)
    for composite in display.sliceComposites(stage.scene):
        composite.SetBackgroundVolumeID(stage.image.GetID())
    planes = stage.slices(rows[0].positionRAS)
    sheet = [planes[:2], [planes[2], stage.threeD(0.2)]]
    stage.scene.RemoveNode(points)
    stage.scene.RemoveNode(node)
    return side_by_side(sheet), "Findings in the mask of a digital phantom: a vessel was cut; " + rows[0].message


def comparison(stage):
    """Template above, synthetic volume below, linked."""
    from slicerViews import picture, side_by_side
    from StructDiffLib import comparison as layouts
    from StructDiffLib import display, findings

    rows = stage.views.ofLayout(layouts.layoutDescription(), (340, 320))
    layout = stage.scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    display.compareLayout(stage.scene, layout, stage.template, stage.image)
    stage.show(stage.results.maskNode)
    for view in (view for row in rows for view in row):
        view.fit_view_to_content()
    findings.jump(stage.scene, stage.branch.positionRAS, centred=False)
    sheet = side_by_side([[picture(view) for view in row] for row in rows])
    return sheet, "Above the template (digital phantom), below the synthetic CT, both with the outline of the mask asked for"


def edits(stage):
    """The mask before and after a branch was made longer."""
    from slicerViews import side_by_side
    from StructDiffLib import display

    pictures = []
    for labels, name in ((stage.before, "before"), (stage.bridge.labelMapOf(stage.mask), "after")):
        node = stage.bridge.addSegmentation(labels, name)
        stage.show(node)
        display.showSurface(node)
        pictures.append(stage.threeD(0.2, fit=not pictures))
        stage.scene.RemoveNode(node)
    return side_by_side([pictures]), "A digital phantom's mask before and after one branch was made 12 mm longer, proved"


def save(picture, caption, path):
    """PNG with the caption under the picture."""
    import numpy as np
    from PIL import Image, ImageDraw

    height, width, _channels = picture.shape
    sheet = np.full((height + CAPTION_PIXELS, width, 3), 255, np.uint8)
    sheet[:height] = picture
    image = Image.fromarray(sheet)
    ImageDraw.Draw(image).text((6, height + 5), caption, fill=(20, 20, 20), font_size=15)
    image.save(path, optimize=True)


if __name__ == "__main__":
    main()
