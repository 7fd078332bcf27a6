"""Where the generator runs: what is installed, what is missing, another Python."""

import qt
import slicer

from .. import environment
from ..failure import Failure
from ..parameters import doctorJob
from ..translation import _
from .panel import Panel, allow, columns, silent


class EnvironmentPanel(Panel):
    """Asks the worker's Python (``doctor``) and installs what is missing, after saying size and licence."""

    uiName = "EnvironmentPanel"

    def setup(self):
        self._missing = []
        self._checked = False
        self.settings = qt.QSettings()
        self.requirements = ""
        ui = self.ui
        columns(ui.checksTable, [_("State"), _("What"), _("Found")], wide=2)
        ui.checksTable.visible = False
        ui.pythonEdit.currentPath = str(self.settings.value(environment.PYTHON_SETTING) or "")
        ui.pythonEdit.currentPathChanged.connect(self.onPython)
        ui.doctorButton.clicked.connect(self.onDoctor)
        ui.installButton.clicked.connect(self.onInstall)
        ui.installFolderButton.clicked.connect(self.onInstallFromFolder)

    @property
    def worker(self):
        return environment.chosenWorker(self.settings)

    def update(self):
        running = _("A run is under way: wait for it or cancel it") if self.session.running else ""
        own = "" if self.worker.ownPython else _("Packages of another Python are yours to install: see the command below")
        checked = "" if self._checked else _("Check the installation first")
        missing = "" if self._missing else _("Nothing is missing")
        ui = self.ui
        allow(ui.doctorButton, running, _("Ask the worker's Python what is installed and which device works"))
        allow(ui.installButton, running or own or checked or missing, _("Size and licence are told first"))
        allow(ui.installFolderButton, running or own or checked or missing, _("Without internet: a folder with the wheels"))
        ui.environmentLabel.text = _("The generator runs in a process of its own: {python}").format(python=self.worker.python)

    def onPython(self, path=""):
        environment.choosePython(self.settings, self.ui.pythonEdit.currentPath)
        self._checked = False
        self.update()

    def onDoctor(self):
        with self.guarded():
            folder = self.session.newRunFolder()
            self.session.runner.start(doctorJob(folder), str(folder), self)
            self.ui.adviceLabel.text = _("Looking…")
        self.session.tell("run")

    # -- the runner's listener -----------------------------------------------------------------------------------------
    def onEvent(self, event):
        """Its progress is too short to show."""

    def onFinished(self, event):
        checks = event["checks"]
        self.session.machine = event.get("machine") or self.session.machine
        self._missing, self._checked = environment.missingPackages(checks), True
        table = self.ui.checksTable
        table.visible = True
        with silent(table):
            table.rowCount = len(checks)
            for row, check in enumerate(checks):
                for column, text in enumerate((_state(check["state"]), check["what"], check["found"])):
                    table.setItem(row, column, qt.QTableWidgetItem(text))
        table.resizeRowsToContents()
        self.ui.adviceLabel.text = self._advice()
        self.session.tell("run")

    def onFailed(self, failure):
        self._checked, self._missing = True, list(environment.SIZES) if failure.category == "missing_dependency" else []
        self.ui.adviceLabel.text = self._advice() if self._missing else ""
        self.session.fail(failure)
        self.session.tell("run")

    def _advice(self):
        if not self._missing:
            return _("Everything that a run needs is installed.")
        if self.worker.ownPython:
            return _("Missing: {names}").format(names=", ".join(self._missing))
        return _("Type in a terminal: {command}").format(command=environment.adviceForOtherPython(self.worker, self._missing))

    # -- installing ----------------------------------------------------------------------------------------------------
    def onInstall(self):
        self._install(None)

    def onInstallFromFolder(self):
        folder = qt.QFileDialog.getExistingDirectory(self.widget, _("Folder with the wheels"))
        if folder:
            self._install(folder)

    def _install(self, folder):
        if not slicer.util.confirmOkCancelDisplay(environment.question(self._missing), _("StructDiff - install packages")):
            return
        try:
            environment.install(self._missing, self.requirements, folder)
        except Exception as error:
            remedy = _("check the internet connection, or install from a folder")
            self.session.fail(Failure("missing_dependency", str(error), remedy))
            return
        self.onDoctor()


def _state(state):
    return {"ok": _("works"), "note": _("please look"), "missing": _("missing")}.get(state, state)
