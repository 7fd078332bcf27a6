"""Failure: what a user sees when something went wrong: category, cause, remedy, and a report to hand on."""

from dataclasses import dataclass

from .translation import _


@dataclass(frozen=True)
class Failure:
    """One failure in the words of the job protocol."""

    category: str
    """bad_input, out_of_memory, device, missing_dependency, cancelled or internal."""
    message: str
    remedy: str = ""
    logTail: str = ""
    """The worker's last lines."""
    exitCode: object = None
    command: str = ""

    def title(self):
        """The category in plain words."""
        return titles().get(self.category, titles()["internal"])

    def report(self, environment=""):
        """Everything that a developer needs, as plain text."""
        parts = (
            (_("What"), self.title()),
            (_("Cause"), self.message),
            (_("Remedy"), self.remedy),
            (_("Exit code"), "" if self.exitCode is None else str(self.exitCode)),
            (_("Command"), self.command),
            (_("Environment"), environment),
            (_("Last lines of the log"), self.logTail),
        )
        return "\n".join(f"{name}: {text}" for name, text in parts if text)


def titles():
    """Category -> what the panel says."""
    return {
        "bad_input": _("The input cannot be used"),
        "out_of_memory": _("Not enough memory"),
        "device": _("The device cannot be used"),
        "missing_dependency": _("Something is not installed"),
        "cancelled": _("Cancelled"),
        "internal": _("The run failed"),
    }


def failureOf(error):
    """Any exception as a Failure; a StructDiffError keeps its category, fact and remedy."""
    if hasattr(error, "category") and hasattr(error, "fact"):
        return Failure(error.category, error.fact, error.remedy)
    from StructDiffCore.pipelines.failures import refusal_of

    refusal = refusal_of(error)
    remedy = refusal.remedy or _("please copy the report and send it to the developers")
    return Failure(refusal.category, refusal.fact, remedy, logTail=_traceback(error))


def failureOfEvent(event, logTail, exitCode, command):
    """The worker's own last word (``failed``)."""
    return Failure(
        event.get("category", "internal"),
        event.get("message", ""),
        event.get("remedy", ""),
        event.get("traceback") or logTail,
        exitCode,
        command,
    )


def failureOfSilence(logTail, exitCode, command):
    """The worker ended without a last word."""
    if exitCode is not None and exitCode < 0:
        message = _("the worker was ended from outside (signal {signal})").format(signal=-exitCode)
        remedy = _("often the computer was short of memory: close other programs, choose the quick preset or crop the mask")
        return Failure("out_of_memory" if exitCode == -9 else "internal", message, remedy, logTail, exitCode, command)
    category = {2: "bad_input", 3: "cancelled", 4: "out_of_memory"}.get(exitCode, "internal")
    if "No module named" in logTail:
        category = "missing_dependency"
        remedy = _("press 'Check the installation' and install what is missing")
    else:
        remedy = _("look at the log's last lines; copy the report and send it to the developers")
    message = _("the worker stopped without a result (exit code {code})").format(code=exitCode)
    return Failure(category, _lastWords(logTail) or message, remedy, logTail, exitCode, command)


def _lastWords(logTail):
    lines = [line for line in logTail.splitlines() if line.strip()]
    return lines[-1].removeprefix("structdiff: ") if lines else ""


def _traceback(error):
    import traceback

    return "".join(traceback.format_exception(type(error), error, error.__traceback__))
