"""Step 4: where the volume can be trusted."""

import slicer

from StructDiffCore.config.presets import CONFIDENCE_WINDOW_HU

from .. import display, findings
from ..results import worthOf
from ..translation import _
from .panel import Panel, allow


class ConfidencePanel(Panel):
    """Overlay, threshold, legend, coloured vessels, volume rendering, next uncertain spot, comparison with the template."""

    uiName = "ConfidencePanel"

    def setup(self):
        self._spot = None
        ui = self.ui
        self._hint = ui.worthLabel.text
        low, high = CONFIDENCE_WINDOW_HU
        ui.windowLabel.text = _("{low:.0f} to {high:.0f} HU, the same for every volume").format(low=low, high=high)
        ui.overlayCheckBox.toggled.connect(self.onOverlay)
        ui.legendCheckBox.toggled.connect(self.onOverlay)
        ui.thresholdSlider.valueChanged.connect(self.onThreshold)
        ui.surfaceCheckBox.toggled.connect(self.onSurface)
        ui.volumeCheckBox.toggled.connect(self.onVolume)
        ui.nextSpotButton.clicked.connect(self.onNextSpot)
        ui.compareButton.clicked.connect(self.onCompare)

    @property
    def confidence(self):
        return self.parameters.confidenceNode if self.parameters else None

    @property
    def image(self):
        return self.parameters.imageNode if self.parameters else None

    def update(self):
        ui = self.ui
        both = "" if self.image and self.confidence else _("Synthesise first (step 3), or choose a volume and its map above")
        image = "" if self.image else _("Synthesise first (step 3), or choose a volume above")
        allow(ui.overlayCheckBox, both, _("Overlay on the slices"))
        allow(ui.thresholdSlider, both, _("Standard deviations below this stay transparent"))
        allow(ui.legendCheckBox, both, _("Show the colours and their values in the views"))
        allow(ui.nextSpotButton, both, _("Move all views to the next place where the generator is unsure, the worst first"))
        mask = "" if self.parameters and self.parameters.maskNode else _("Choose a mask first (top of the panel)")
        allow(ui.surfaceCheckBox, both or mask, _("Paint the confidence onto the vessels in 3D"))
        rendering = "" if self.session.bridge.logics.get("volumeRendering") else _("This Slicer has no volume rendering")
        allow(ui.volumeCheckBox, image or rendering, _("Render the synthetic CT in 3D"))
        template = "" if self.session.template() else _("Choose a template first (step 1)")
        allow(ui.compareButton, image or template, _("Template above, synthetic CT below, slices linked"))
        ui.worthLabel.text = worthOf(self.confidence) or self._hint

    def _templateNode(self):
        """The template's CT in the scene; one of the library is loaded now if it is not there yet."""
        source, bridge = self.session.template(), self.session.bridge
        if not isinstance(source.image, str):
            return source.image
        loaded = bridge.scene.GetFirstNode(source.name, "vtkMRMLScalarVolumeNode")
        return loaded or bridge.addVolume(self.session.entry(source.name).read().image, source.name, integer=True)

    def onChange(self, what, told):
        if what == "results" and self.parameters and self.confidence is not None:
            self.ui.overlayCheckBox.checked = True
            self.onOverlay()
        super().onChange(what, told)

    def onOverlay(self):
        """Show, renew or hide the overlay and its legend."""
        if self.image is None or self.confidence is None:
            return
        scene, on = self.session.bridge.scene, self.ui.overlayCheckBox.checked
        try:
            if on:
                threshold, window = self.ui.thresholdSlider.value, CONFIDENCE_WINDOW_HU[1]
                display.showConfidence(scene, self.image, self.confidence, thresholdHU=threshold, windowHU=window)
            else:
                display.hideConfidence(scene)
            display.showLegend(scene, self.confidence, on and self.ui.legendCheckBox.checked)
        except Exception as error:
            self.session.fail(error)

    def onThreshold(self, value=0.0):
        if self.ui.overlayCheckBox.checked:
            self.onOverlay()

    def onSurface(self):
        with self.guarded():
            on = self.ui.surfaceCheckBox.checked
            display.colourSurface(self.session.bridge.scene, self.parameters.maskNode, self.confidence, on)

    def onVolume(self):
        with self.guarded():
            display.renderVolume(self.session.bridge.logics["volumeRendering"], self.image, self.ui.volumeCheckBox.checked)

    def onNextSpot(self):
        with self.guarded():
            threshold = self.ui.thresholdSlider.value
            self._spot = display.nextUncertainSpot(self.confidence, self._spot, threshold)
            if self._spot is None:
                self.ui.worthLabel.text = _("No place is above {threshold:.0f} HU.").format(threshold=threshold)
            else:
                findings.jump(self.session.bridge.scene, self._spot)

    def onCompare(self):
        with self.guarded():
            layout = self.session.bridge.scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
            if layout is None:
                raise slicer.util.MRMLNodeNotFoundException(_("there are no views to arrange"))
            if self.ui.compareButton.checked:
                display.compareLayout(self.session.bridge.scene, layout, self._templateNode(), self.image)
            else:
                display.restoreLayout(layout)
