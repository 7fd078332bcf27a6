"""Session: what the panels share: the scene's bridge, the choices, the running job and the pairs made so far. Knows no Qt."""

import logging
import time
from pathlib import Path

from .background import Background
from .failure import Failure, failureOf
from .jobs import Busy
from .pairs import Source, pairOf, pairOfScene
from .parameters import commandLineFrom, jobFrom, withInputs
from .readAhead import ReadAhead
from .results import readFiles
from .scenePairs import pairsOf
from .translation import _


class Session:
    """One per module widget. Listeners are called with the name of what changed: parameters, run, event, results, failure."""

    def __init__(self, bridge, runner, runsFolder):
        self.bridge = bridge
        self.runner = runner
        self.background = Background()
        self.runsFolder = runsFolder
        self.parameters = None
        self.entries = []
        self.machine = None
        self.pairs = []
        self.loaded = None
        self.failure = None
        self.report = ""
        self._listeners = []
        self._after = None
        self._name = ""
        self._quiet = False
        self._runs = 0
        self._shape = None
        self._stage = ""
        self._sceneNumber = 0
        self.lastJob = None

    # -- who listens -------------------------------------------------------------------------------------------------
    def listen(self, listener):
        """Have ``listener(what, told)`` called on every change."""
        self._listeners.append(listener)

    def tell(self, what, told=None):
        """Something changed; every listener hears it."""
        for listener in list(self._listeners):
            listener(what, told)

    # -- what may run ------------------------------------------------------------------------------------------------
    def template(self):
        """The chosen template, or None."""
        chosen = self.parameters
        if chosen is None:
            return None
        entry = self.entry(chosen.templateId)
        if entry is not None and entry.usable:
            return Source.of(entry)
        if not chosen.templateId and chosen.templateImageNode and chosen.templateMaskNode:
            image = chosen.templateImageNode
            shape = image.GetImageData().GetDimensions() if image.GetImageData() else ()
            return Source(image, chosen.templateMaskNode, image.GetName(), tuple(shape))
        return None

    def entry(self, templateId):
        """The library's entry of that id, or None."""
        return next((entry for entry in self.entries if entry.id == templateId), None) if templateId else None

    def maskShape(self):
        """Voxels of the chosen mask's grid; measured again only when the mask has changed."""
        mask = self.parameters.maskNode
        stamp = (mask.GetID(), mask.GetSegmentation().GetMTime())
        if self._shape is None or self._shape[0] != stamp:
            self._shape = (stamp, self.bridge.gridOf(mask).shape)
        return self._shape[1]

    def whyNotSynthesize(self):
        """What is missing before a run can start, in words; empty when nothing is."""
        if self.parameters is None or self.parameters.maskNode is None:
            return _("Choose a mask first (top of the panel)")
        if self.template() is None:
            return _("Choose a template first (step 1)")
        if self.running:
            return _("A run is under way: wait for it or cancel it")
        return ""

    # -- runs --------------------------------------------------------------------------------------------------------
    @property
    def running(self):
        """From the click to the loaded nodes: writing inputs, the worker, reading results."""
        return self._stage != "" or self.runner.running

    def synthesize(self, mask=None, source=None, after=None, quiet=False):
        """Write the inputs and start the worker; ``after(pairs | None)`` is called at the end. Raises on refused input.

        ``quiet``: the results stay on the disk (batch) instead of being loaded.
        """
        if self.running:
            raise Busy()
        mask, source = mask or self.parameters.maskNode, source or self.template()
        ahead, folder = ReadAhead(self.bridge, mask, source), self.newRunFolder()
        job = jobFrom(self.parameters, {}, folder / "result")
        self._name, self._after, self._quiet = f"{mask.GetName()} x {source.name}", after, quiet
        self.failure = None
        self._stage = "writing"
        self.background.submit(lambda: ahead.write(folder / "inputs"), lambda *ended: self._inputsWritten(job, *ended))
        self.tell("run")

    def _inputsWritten(self, job, inputs, error):
        cancelled, self._stage = self._stage != "writing", ""
        if error is not None or cancelled:
            self.onFailed(failureOf(error) if error else Failure("cancelled", _("the run was cancelled")))
            return
        self.lastJob = withInputs(job, inputs)
        try:
            self.runner.start(self.lastJob, job["out"], self)
        except Exception as refusal:
            self.onFailed(failureOf(refusal))
        self.tell("run")

    def commandLine(self, done):
        """The next run as a command, handed to ``done(words, error)``; its inputs are written, so that it works as it stands."""
        folder = self.newRunFolder()
        if self.runner.running:
            done(commandLineFrom({**self.lastJob, "out": str(folder / "result")}), None)
            return
        ahead = ReadAhead(self.bridge, self.parameters.maskNode, self.template())
        job = jobFrom(self.parameters, {}, folder / "result")
        self.background.submit(lambda: commandLineFrom(withInputs(job, ahead.write(folder / "inputs"))), done)

    def newRunFolder(self):
        """A new folder for one run, below the runs' folder."""
        self._runs += 1
        folder = Path(self.runsFolder) / f"{time.strftime('%Y%m%d-%H%M%S')}-{self._runs:03d}"
        folder.mkdir(parents=True)
        return folder

    def cancel(self):
        """Stop the run, whatever it is doing."""
        if self._stage == "writing":
            self._stage = "cancelled"
        self.runner.cancel()
        self.tell("run")

    @property
    def cancelling(self):
        return self._stage == "cancelled" or self.runner.cancelling

    def poll(self):
        """Hand on what the worker and the background said. Never waits; call it from a timer."""
        self.runner.poll()
        self.background.poll()

    # -- the runner's listener ---------------------------------------------------------------------------------------
    def onEvent(self, event):
        self.tell("event", event)

    def onFinished(self, event):
        if self._quiet:
            self._keep(event)
            return
        self._stage = "reading"
        scene = self._sceneNumber
        self.background.submit(lambda: readFiles(event), lambda read, error: self._filesRead(event, scene, read, error))

    def _filesRead(self, event, scene, read, error):
        self._stage = ""
        try:
            if error is not None:
                raise error
            if scene == self._sceneNumber:
                self.loaded = self.bridge.loadResults(event, self._name, read=read)
                self._choose(self.loaded)
        except Exception as refusal:
            self.onFailed(failureOf(refusal))
            return
        self._keep(event)

    def _keep(self, event):
        """The pairs are there: on the disk and, unless the run was quiet, in the scene."""
        samples = event.get("samples", [])
        made = [pairOf(sample, self._name, len(samples)) for sample in samples]
        self.pairs += made
        for pair in made:
            pair.imageId = "" if self._quiet or self.loaded is None else self.loaded.imageNodes[0].GetID()
        self._end(made)
        self.tell("results", made)

    def onFailed(self, failure):
        if failure.category != "cancelled":
            logging.warning("StructDiff: %s; %s", failure.message, failure.remedy)
        self.fail(failure)
        self._end(None)

    def _end(self, made):
        after, self._after = self._after, None
        self.tell("run")
        if after is not None:
            after(made)

    def _choose(self, loaded):
        if self.parameters is None:
            return
        self.parameters.imageNode = loaded.imageNodes[0]
        if loaded.confidenceNodes:
            self.parameters.confidenceNode = loaded.confidenceNodes[0]

    def adopt(self):
        """Take up the pairs that came with an opened scene, where they are not known yet."""
        known = {pair.imageId for pair in self.pairs}
        for found in pairsOf(self.bridge.scene):
            if found.imageNode.GetID() not in known:
                self.pairs.append(pairOfScene(found))
        self.tell("pairs")

    # -- what went wrong ---------------------------------------------------------------------------------------------
    def fail(self, failure):
        """Keep a failure (or an exception) for the user to see."""
        self.failure = failure if isinstance(failure, Failure) else failureOf(failure)
        self.tell("failure", self.failure)

    def dismiss(self):
        """The user has read it."""
        self.failure = None
        self.tell("failure", None)

    def onSceneClosed(self):
        """The nodes are gone: forget them; a run under way would have nowhere to go and is cancelled."""
        self.parameters = None
        self.loaded = None
        self.pairs = [pair for pair in self.pairs if pair.folder]
        self._sceneNumber += 1
        if self.running:
            self.cancel()
            self.fail(
                Failure(
                    "cancelled", _("the scene was closed during a run"), _("what was finished lies in ") + str(self.runsFolder)
                )
            )
