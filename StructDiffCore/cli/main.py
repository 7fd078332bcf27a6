"""The console command ``structdiff``: arguments to a job, events to a person, errors to one line and an exit code."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Generator, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from .arguments import Refusal, parse

if TYPE_CHECKING:
    from StructDiffCore.config.messages import Event

BAD_INPUT = 2
CANCELLED = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 ok, 2 bad input, 3 cancelled, 4 out of memory, 1 anything else."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = parse(given)
    except Refusal as refusal:
        return _refuse(refusal, as_json="--json" in given)
    except SystemExit as left:
        return int(left.code or 0)
    with _calm(debug=arguments.debug):
        try:
            return _work(arguments) if arguments.verb == "work" else _command(arguments)
        except KeyboardInterrupt:
            _say("cancelled by Ctrl-C; nothing half-written was left")
            return CANCELLED
        except BrokenPipeError:
            sys.stdout = None  # the reader is gone: nothing is left to flush
            return 1


def _command(arguments: Namespace) -> int:
    """A verb for a person: progress on stderr, the result on stdout."""
    from StructDiffCore.pipelines.verbs import events_of

    from .console import view
    from .jobs import job_of

    stdout = sys.stdout
    with contextlib.redirect_stdout(sys.stderr), view(quiet=arguments.json) as show:
        last = _last_of(events_of(job_of(arguments)), show)
    return _conclude(last, arguments, stdout)


def _last_of(events: Generator[Event, None, None], show: Callable[[Event], None]) -> Event:
    """Show every event and return the last one; Ctrl-C closes the pipeline, which cleans up, and is ``cancelled``."""
    from StructDiffCore.config.messages import failed
    from StructDiffCore.domain import StructDiffError

    last: Event | None = None
    try:
        with contextlib.closing(events):
            for last in events:
                show(last)
    except KeyboardInterrupt:
        last = failed(StructDiffError("cancelled by Ctrl-C", "nothing half-written was left", "cancelled"))
        show(last)
    assert last is not None, "a pipeline ends with finished or failed"
    return last


def _conclude(last: Event, arguments: Namespace, stdout: Any) -> int:
    """Print the final document or summary; the exit code of the last event."""
    code = _exit_code(last)
    if arguments.json:
        print(json.dumps({"event": last.event, **last.payload, "exit_code": code}, indent=2), file=stdout)
    if last.event == "failed":
        if arguments.debug and last.payload.get("traceback"):
            print(last.payload["traceback"], file=sys.stderr)
        _say(_one_line(last.payload))
    elif not arguments.json:
        from .summary import print_summary

        print_summary(arguments.verb, last.payload, stdout)
    return code


def _work(arguments: Namespace) -> int:
    """The worker: one JSON event per line on stdout, whatever libraries print goes to stderr."""
    from StructDiffCore.pipelines.work import run

    stdout = sys.stdout
    if hasattr(stdout, "reconfigure"):
        stdout.reconfigure(encoding="utf-8", line_buffering=True)
    with contextlib.redirect_stdout(sys.stderr):
        last = _last_of(run(arguments.job), lambda event: print(event.as_line(), file=stdout, flush=True))
    if last.event == "failed":
        _say(_one_line(last.payload))
    return _exit_code(last)


def _exit_code(event: Event) -> int:
    from StructDiffCore.domain import EXIT_CODES

    return EXIT_CODES[event.payload["category"]] if event.event == "failed" else 0


def _one_line(payload: Any) -> str:
    return "; ".join(part for part in (payload["message"], payload["remedy"]) if part)


def _refuse(refusal: Refusal, as_json: bool) -> int:
    if as_json:
        failed = {"event": "failed", "category": "bad_input", "message": refusal.fact, "remedy": refusal.remedy}
        print(json.dumps({**failed, "exit_code": BAD_INPUT}, indent=2))
    _say(str(refusal))
    return BAD_INPUT


def _say(line: str) -> None:
    """One line on stderr, whatever the message holds."""
    print("structdiff: " + " ".join(line.split()), file=sys.stderr, flush=True)


@contextlib.contextmanager
def _calm(debug: bool) -> Iterator[None]:
    """Libraries' warnings stay silent unless asked for; a polite kill (SIGTERM) is a Ctrl-C."""
    import threading
    import warnings

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, interrupt) if in_main_thread else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default" if debug else "ignore")
            yield
    finally:
        if in_main_thread:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
