"""ReadAhead: a run's inputs, read from the scene at once, so that a thread can write them while the user goes on."""

from .inputs import InputFiles


class ReadAhead:
    """Mask and template of a run as core nouns (or paths); answers like the bridge where files are written from them."""

    def __init__(self, bridge, mask, source):
        """``source`` has ``image`` and ``mask``: nodes, or a path and an entry of the library. Raises where a node is gone."""
        self._mask, self._source = mask, source
        self._labels = {id(mask): bridge.labelMapOf(mask)}
        self._volumes = {}
        if not isinstance(source.image, str):
            volume = bridge.volumeOf(source.image)
            self._volumes[id(source.image)] = volume
            self._labels[id(source.mask)] = bridge.labelMapOf(source.mask, volume.geometry)

    def volumeOf(self, node):
        return self._volumes[id(node)]

    def labelMapOf(self, node, referenceGeometry=None):
        return self._labels[id(node)]

    def write(self, folder):
        """Job.inputs, written into ``folder``, all of them or none; touches no scene."""
        folder.mkdir(parents=True, exist_ok=True)
        return InputFiles(folder).write(self, self._mask, self._source.image, self._source.maskFor(folder))
