"""Inputs: the files a worker reads, written whole or not at all, from nodes of the scene or files named by the user."""

from pathlib import Path

from StructDiffCore.domain import ImageMaskPair, StructDiffError

from .translation import _


class InputFiles:
    """Writes one run's inputs into a folder; takes back what it wrote when one of them fails."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._written = []

    def write(self, bridge, mask, templateImage, templateMask):
        """Paths by role, as Job.inputs wants them; nodes are written to files, paths are checked and taken as they are."""
        from StructDiffCore.io.files import write_label_map, write_volume

        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            image = None if _isPath(templateImage) else bridge.volumeOf(templateImage)
            grid = None if image is None else image.geometry
            pair = None if _isPath(templateMask) else bridge.labelMapOf(templateMask, grid)
            if image is not None and pair is not None:
                ImageMaskPair(image, pair)
            return {
                "mask": self._put(write_label_map, mask, None if _isPath(mask) else bridge.labelMapOf(mask), "mask.seg.nrrd"),
                "template_image": self._put(write_volume, templateImage, image, "template.nrrd"),
                "template_mask": self._put(write_label_map, templateMask, pair, "template_mask.seg.nrrd"),
            }
        except BaseException:
            self._takeBack()
            raise

    def _put(self, write, source, noun, name):
        if noun is None:
            path = Path(source)
            if not path.exists():
                raise StructDiffError(_("{path} does not exist").format(path=path), _("choose the file again"))
            return str(path)
        path = self._folder / name
        write(noun, path)
        self._written.append(path)
        return str(path)

    def _takeBack(self):
        for path in self._written:
            path.unlink(missing_ok=True)


def _isPath(source):
    return isinstance(source, (str, Path))
