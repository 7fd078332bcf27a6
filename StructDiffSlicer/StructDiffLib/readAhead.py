"""ReadAhead: a run's inputs as they are at the click, so that a thread can read and write them while the user goes on."""

from .inputs import InputFiles
from .snapshot import MaskSnapshot, VolumeSnapshot


class ReadAhead:
    """Mask and template of a run as snapshots (or paths); answers like the bridge where files are written from them."""

    def __init__(self, bridge, mask, source):
        """``source`` has ``image`` and ``mask``: nodes, or a path and an entry of the library. Raises where a node is gone."""
        self._mask, self._source = mask, source
        self._snapshots = {id(mask): MaskSnapshot(bridge, mask)}
        if not isinstance(source.image, str):
            bridge.refuseGone(source.image)
            image = VolumeSnapshot(source.image)
            self._snapshots[id(source.image)] = image
            self._snapshots[id(source.mask)] = MaskSnapshot(bridge, source.mask, image.geometry)

    def volumeOf(self, node):
        return self._snapshots[id(node)].volume()

    def labelMapOf(self, node, referenceGeometry=None):
        return self._snapshots[id(node)].labelMap()

    def write(self, folder):
        """Job.inputs, written into ``folder``, all of them or none; touches no scene."""
        folder.mkdir(parents=True, exist_ok=True)
        return InputFiles(folder).write(self, self._mask, self._source.image, self._source.maskFor(folder))
