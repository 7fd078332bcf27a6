"""``python -m StructDiffCore.pipelines.pair_worker JOB.json``: makes the pairs whose numbers come in on stdin, line by line.

Out on stdout comes one event per line; the last one of a pair is ``finished`` or ``failed``. A failure ends the process, and so
does the end of stdin or of the process that started it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from StructDiffCore.config.messages import Event, Job, failed

from .failures import refusal_of
from .pair_maker import PairMaker


def serve(job: Job, wanted: TextIO, told: TextIO) -> int:
    """Make pairs until ``wanted`` ends (0) or one fails (1)."""
    parent = os.getppid()
    try:
        maker = PairMaker(job)
        for line in wanted:
            for event in _made(maker, int(line)):
                print(event.as_line(), file=told, flush=True)
                if os.getppid() != parent:
                    return 1
    except Exception as error:
        refusal = refusal_of(error)
        print(failed(refusal).as_line(), file=told, flush=True)
        if refusal.category == "internal":
            raise
        return 1
    return 0


def _made(maker: PairMaker, number: int) -> Iterator[Event]:
    with contextlib.closing(maker.make(number)) as events:
        yield from events
    yield Event("finished", {"pair": number})


def main(argv: list[str]) -> int:
    """The process; a polite kill clears what is half made."""
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(1))
    told = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        return serve(Job.from_json(Path(argv[0])), sys.stdin, told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
