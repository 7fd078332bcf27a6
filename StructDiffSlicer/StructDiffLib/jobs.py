"""JobRunner: one job at a time in a child process; its events come back as calls, on the thread of the event loop."""

import contextlib
import json
import os
import time
from dataclasses import dataclass

from .failure import Failure, failureOf, failureOfEvent, failureOfSilence
from .translation import _

CANCEL_FILE = "cancel"
JOB_FILE = "job.json"
LONGEST_LINE_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Grace:
    """How long each rung of the cancel ladder waits before the next, in seconds."""

    cancelFile: float = 15.0
    terminate: float = 5.0


class Busy(Exception):
    """A second run was asked for while one is under way."""

    category = "bad_input"

    def __init__(self):
        super().__init__(_("a run is already under way"))
        self.fact = str(self)
        self.remedy = _("wait until it has finished, or cancel it")


class JsonLines:
    """Bytes in pieces of any size in, whole events out."""

    def __init__(self):
        self._rest = b""

    def feed(self, data):
        """The events that ``data`` completes; a line that is no event becomes a ``log`` event."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE_BYTES:
            lines, self._rest = [*lines, self._rest], b""
        return [_eventOf(line) for line in lines if line.strip()]

    def end(self):
        """What a worker that died in mid-line had said."""
        rest, self._rest = self._rest, b""
        return [_eventOf(rest)] if rest.strip() else []


def _eventOf(line):
    text = line.decode("utf-8", "replace").strip()
    try:
        event = json.loads(text)
    except ValueError:
        return {"event": "log", "message": text}
    return event if isinstance(event, dict) and "event" in event else {"event": "log", "message": text}


class JobRunner:
    """Runs ``structdiff work job.json`` and tells a listener; call ``poll`` from a timer.

    ``processFactory(jobFile)`` starts the child: an object with ``read``, ``exitCode``, ``errorTail``, ``terminate``,
    ``killTree`` (WorkerProcess). The listener has ``onEvent(dict)``, ``onFinished(dict)`` and ``onFailed(Failure)``.
    """

    def __init__(self, processFactory, grace=Grace(), clock=time.monotonic):
        self._processFactory = processFactory
        self._grace = grace
        self._clock = clock
        self._process = None
        self._forget()

    def _forget(self):
        self._process = None
        self._listener = None
        self._lines = JsonLines()
        self._last = None
        self._outFolder = ""
        self._command = ""
        self._rung = None
        self._rungSince = 0.0

    @property
    def running(self):
        return self._process is not None

    @property
    def cancelling(self):
        return self._rung is not None

    def start(self, job, outFolder, listener):
        """Write the job file into ``outFolder`` and start the child; raises Busy while another job runs."""
        if self.running:
            raise Busy()
        os.makedirs(outFolder, exist_ok=True)
        jobFile = os.path.join(outFolder, JOB_FILE)
        with open(jobFile + ".partial", "w", encoding="utf-8") as file:
            json.dump(job, file, indent=2)
        os.replace(jobFile + ".partial", jobFile)
        try:
            process = self._processFactory(jobFile)
        except OSError as error:
            listener.onFailed(_notStarted(error))
            return
        self._process, self._listener, self._outFolder = process, listener, outFolder
        self._command = f"structdiff work {jobFile}"

    def poll(self):
        """Hand on what the child said; notice its end; climb the cancel ladder. Never waits."""
        process = self._process
        if process is None:
            return
        code = process.exitCode()
        events = self._lines.feed(process.read())
        if code is not None:
            events += self._lines.end()
        for event in events:
            self._tell(event)
            if self._process is not process:  # the listener closed us
                return
        if code is not None:
            self._conclude(code)
        elif self._rung is not None:
            self._climb()

    def _tell(self, event):
        if event["event"] in ("finished", "failed"):
            self._last = event
        else:
            self._listener.onEvent(event)

    def _conclude(self, code):
        """The runner is free again before anyone hears of the end."""
        listener, last, cancelled = self._listener, self._last, self.cancelling
        tail, command = self._process.errorTail(), self._command
        self._forget()
        if last is not None and last["event"] == "finished":
            try:
                listener.onFinished(last)
            except Exception as error:
                listener.onFailed(failureOf(error))
        elif last is not None:
            listener.onFailed(failureOfEvent(last, tail, code, command))
        elif cancelled:
            listener.onFailed(Failure("cancelled", _("the run was cancelled"), "", tail, code, command))
        else:
            listener.onFailed(failureOfSilence(tail, code, command))

    def cancel(self):
        """First rung: the cancel file, which stops the job between two network calls."""
        if not self.running or self.cancelling:
            return
        self._rung, self._rungSince = "cancelFile", self._clock()
        with contextlib.suppress(OSError), open(os.path.join(self._outFolder, CANCEL_FILE), "w", encoding="utf-8"):
            pass  # where it cannot be written, the next rung follows

    def _climb(self):
        waited = self._clock() - self._rungSince
        if self._rung == "cancelFile" and waited > self._grace.cancelFile:
            self._process.terminate()
            self._rung, self._rungSince = "terminate", self._clock()
        elif self._rung == "terminate" and waited > self._grace.terminate:
            self._process.killTree()
            self._rung = "kill"

    def close(self):
        """End the child now and tell nobody: the module is unloaded, or Slicer quits."""
        if self._process is not None:
            self._process.killTree()
        self._forget()


def _notStarted(error):
    message = _("the worker's Python cannot be started ({reason})").format(reason=error)
    return Failure("missing_dependency", message, _("choose another Python under 'Environment'"))
