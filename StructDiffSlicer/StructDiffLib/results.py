"""Results: what a finished run left on the disk becomes nodes in a folder of the scene, several samples a Sequence."""

import json
from dataclasses import dataclass
from pathlib import Path

import slicer

from StructDiffCore.domain import StructDiffError

from .translation import _

CT_WINDOW_HU = (-200.0, 650.0)
"""From fat to contrast-filled vessels."""
ROLE = "StructDiff.Role"
SEED = "StructDiff.Seed"
MANIFEST = "StructDiff.Manifest"
SYNTHETIC = "StructDiff.Synthetic"
RECORD_REFERENCE = "StructDiff.manifests"


@dataclass(frozen=True)
class LoadedResults:
    """The nodes made of one ``finished`` event."""

    imageNodes: tuple
    """The synthetic volume; where there are several samples, the one that shows the sample chosen in the Sequence browser."""
    confidenceNodes: tuple
    """As ``imageNodes``: standard deviation in HU; empty where the run made none."""
    maskNode: object
    sequenceNode: object
    """The Sequence of all samples' volumes, None for one sample."""
    browserNode: object
    folderItem: int
    """Item in the subject hierarchy."""


@dataclass(frozen=True, eq=False)
class ReadResults:
    """The files of one ``finished`` event, read."""

    volumes: list
    deviations: list
    mask: object
    readBack: list
    """What the segmenter saw in each volume, where the run asked it."""


def readFiles(finished, scheme=None):
    """The volumes, confidence maps and mask of a run; no MRML in it, so that a thread may do it.

    ``scheme``: what the mask's values mean; without one, that of the manifest.
    """
    from StructDiffCore.io.files import read_label_map, read_volume

    told = samplesOf(finished)
    volumes = [read_volume(sample["image"]) for sample in told]
    deviations = [read_volume(sample["confidence"]) for sample in told if sample.get("confidence")]
    meaning = scheme or _schemeOf(told[0])
    seen = [read_label_map(sample["read_back"], meaning) for sample in told if sample.get("read_back")]
    return ReadResults(volumes, deviations, read_label_map(told[0]["mask"], meaning), seen)


def load(bridge, finished, name, scheme=None, read=None):
    """Nodes for a ``finished`` event of ``synthesize``, in one folder; several samples as a Sequence.

    ``read``: what ``readFiles`` has read of it; without it the files are read now.
    """
    told, read = samplesOf(finished), read or readFiles(finished, scheme)
    images = _nodes(bridge, told, read.volumes, "image", f"{name} CT")
    unsure = _nodes(bridge, told, read.deviations, "confidence", f"{name} confidence")
    maskNode = bridge.addSegmentation(read.mask, f"{name} mask")
    seen = [bridge.addSegmentation(mask, bridge.scene.GenerateUniqueName(f"{name} read back")) for mask in read.readBack]
    for node in seen:
        node.GetDisplayNode().SetVisibility(False)
    browser, sequences = None, []
    if len(told) > 1:
        browser = bridge.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{name} samples")
        sequences = [intoSequence(bridge.scene, browser, nodes) for nodes in (images, unsure) if len(nodes) == len(told)]
        images, unsure = images[:1], unsure[:1]
        showSample(browser, bridge.logics.get("sequences"), 0)
    record = _recordNode(bridge.scene, told, f"{name} manifests", [*images, *unsure])
    folder = folderFor(bridge.scene, name)
    putInFolder(bridge.scene, folder, [*images, *unsure, maskNode, *seen, record, *([browser] if browser else []), *sequences])
    return LoadedResults(tuple(images), tuple(unsure), maskNode, sequences[0] if sequences else None, browser, folder)


def _recordNode(scene, told, name, nodes):
    """The manifests of all samples as a text node that the volumes refer to: they travel with the scene."""
    record = scene.AddNewNodeByClass("vtkMRMLTextNode", name)
    record.SetText(json.dumps([_manifestFile(sample) for sample in told]))
    for node in nodes:
        node.SetNodeReferenceID(RECORD_REFERENCE, record.GetID())
    return record


def manifestOf(imageNode, browserNode=None):
    """What decided the voxels that a loaded volume shows (of the sample chosen in its browser); {} where nothing is known."""
    record = imageNode.GetNodeReference(RECORD_REFERENCE)
    if record is None:
        return {}
    manifests = json.loads(record.GetText() or "[]")
    number = 0 if browserNode is None else browserNode.GetSelectedItemNumber()
    return manifests[number] if number < len(manifests) else {}


def worthOf(confidenceNode):
    """One line on what a loaded map is worth, of its own manifest; "" where nothing is known."""
    told = manifestOf(confidenceNode) if confidenceNode else {}
    return (told.get("confidence") or {}).get("worth", "")


def _manifestFile(sample):
    """The manifest beside a sample, {} where it cannot be read."""
    try:
        return json.loads(Path(sample["manifest"]).read_text(encoding="utf-8"))
    except (KeyError, OSError, ValueError):
        return {}


def _schemeOf(sample):
    """The shipped scheme that the sample's manifest names (its mask file holds values only), None for any other."""
    from StructDiffCore.io.schemes import SHIPPED

    return SHIPPED.get(_manifestFile(sample).get("scheme"))


def _nodes(bridge, told, volumes, role, name):
    """One volume node per sample, marked with what decided its voxels."""
    nodes = []
    for sample, volume in zip(told, volumes):
        node = bridge.addVolume(volume, bridge.scene.GenerateUniqueName(name), integer=role == "image")
        if role == "image":
            node.GetDisplayNode().SetAutoWindowLevel(False)
            node.GetDisplayNode().SetWindowLevelMinMax(*CT_WINDOW_HU)
        node.SetAttribute(ROLE, role)
        node.SetAttribute(SYNTHETIC, "1")
        node.SetAttribute(SEED, str(sample.get("seed", 0)))
        node.SetAttribute(MANIFEST, str(sample.get("manifest", "")))
        nodes.append(node)
    return nodes


def samplesOf(finished):
    """The samples a ``finished`` event tells of; refuses one that tells of none."""
    samples = list(finished.get("samples") or [])
    if not samples:
        raise StructDiffError(_("the run made no volume"), _("look at its log"), "internal")
    gone = [told["image"] for told in samples if not Path(told["image"]).is_file()]
    if gone:
        raise StructDiffError(_("{path} is gone").format(path=gone[0]), _("run the synthesis again"))
    return samples


def folderFor(scene, name):
    """A new folder item at the top of the scene's subject hierarchy."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    return hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), name)


def putInFolder(scene, folderItem, nodes):
    """Move nodes (which the application may have listed already) into a folder."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, folderItem)
        else:
            hierarchy.CreateItem(folderItem, node)


def intoSequence(scene, browser, volumeNodes):
    """Move volume nodes (one per sample) into a Sequence of the browser; the first stays in the scene as its proxy."""
    proxy = volumeNodes[0]
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", f"{proxy.GetName()} sequence")
    sequence.SetIndexName("sample")
    sequence.SetIndexType(slicer.vtkMRMLSequenceNode.NumericIndex)
    for number, node in enumerate(volumeNodes):
        sequence.SetDataNodeAtValue(node, str(number))
    for node in volumeNodes[1:]:
        scene.RemoveNode(node)
    browser.AddSynchronizedSequenceNode(sequence)
    browser.AddProxyNode(proxy, sequence, False)
    browser.SetOverwriteProxyName(sequence, False)
    return sequence


def showSample(browser, sequencesLogic, number):
    """Let the proxies of a Sequence browser show a sample."""
    browser.SetSelectedItemNumber(number)
    if sequencesLogic is not None:
        sequencesLogic.UpdateProxyNodesFromSequences(browser)
