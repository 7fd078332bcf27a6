"""Desk: the panels in their order, the timer that keeps runs moving, and what happens when the scene closes."""

import qt

from .confidencePanel import ConfidencePanel
from .editPanel import EditPanel
from .environmentPanel import EnvironmentPanel
from .exportPanel import ExportPanel
from .labelsPanel import LabelsPanel
from .noticePanel import NoticePanel
from .qualityPanel import QualityPanel
from .synthesisPanel import SynthesisPanel
from .templatePanel import TemplatePanel

POLL_MS = 40
ORDER = (
    LabelsPanel,
    TemplatePanel,
    EditPanel,
    SynthesisPanel,
    ConfidencePanel,
    QualityPanel,
    ExportPanel,
    EnvironmentPanel,
)


class Desk:
    """All panels below the mask selector."""

    def __init__(self, session, ui, uiFolder):
        self.session = session
        self.notice = NoticePanel(session, ui)
        self.panels = {kind.uiName: kind(session, uiFolder) for kind in ORDER}
        for panel in self.panels.values():
            ui.stepsWidget.layout().addWidget(panel.widget)
        session.listen(self.onChange)
        self._timer = qt.QTimer()
        self._timer.interval = POLL_MS
        self._timer.timeout.connect(self.poll)
        self._timer.start()

    def poll(self):
        """Hand on what the worker and the background said. Never waits."""
        try:
            self.session.poll()
        except Exception as error:  # a fault of ours becomes a notice, and the timer goes on
            self.session.fail(error)

    def onChange(self, what, told):
        """A finished run leads to its confidence map."""
        if what == "results":
            self.panels["ConfidencePanel"].widget.collapsed = False

    def setScene(self, scene):
        for panel in self.panels.values():
            panel.setScene(scene)

    def enter(self):
        for panel in self.panels.values():
            panel.enter()

    def exit(self):
        for panel in self.panels.values():
            panel.exit()

    def cleanup(self):
        """The module is unloaded: the worker ends, nobody is told."""
        self._timer.stop()
        self.session.runner.close()
        self.session.background.close()
        for panel in self.panels.values():
            panel.cleanup()
