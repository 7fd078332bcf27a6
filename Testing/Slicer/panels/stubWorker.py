"""A worker that behaves as told: python stubWorker.py BEHAVIOUR JOB.json. Speaks the job protocol, good or bad."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def say(event, **told):
    print(json.dumps({"event": event, **told}, ensure_ascii=False), flush=True)


def patient(out):
    """Works on until the cancel file comes."""
    for done in range(2000):
        if (out / "cancel").exists():
            say("failed", category="cancelled", message="cancelled", remedy="")
            sys.exit(3)
        say("progress", stage="synthesising", done=done, total=2000, eta_s=65.0)
        time.sleep(0.02)


def deaf(out):
    """Hears neither the cancel file nor SIGTERM, and has a child."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    say("log", message=f"child {child.pid}")
    time.sleep(600)


def polite(out):
    """Does not look at the cancel file, but SIGTERM ends it."""
    say("progress", stage="synthesising", done=0, total=10, eta_s=None)
    time.sleep(600)


def crash(out):
    print("Traceback (most recent call last):\nZeroDivisionError: division by zero", file=sys.stderr)
    sys.exit(1)


def missing(out):
    print("ModuleNotFoundError: No module named 'torch'", file=sys.stderr)
    sys.exit(1)


def memory(out):
    say("failed", category="out_of_memory", message="the machine ran out of memory", remedy="crop the mask")
    sys.exit(4)


def device(out):
    say("failed", category="device", message="no CUDA device", remedy="choose cpu")
    sys.exit(2)


def full(out):
    say("failed", category="internal", message="the disk is full; nothing half-written was left", remedy="free some space")
    sys.exit(1)


def killed(out):
    say("progress", stage="synthesising", done=1, total=10, eta_s=9.0)
    os.kill(os.getpid(), signal.SIGKILL)


def pieces(out):
    """An event in three pieces, broken inside a letter, then a line that is no JSON."""
    line = json.dumps({"event": "log", "message": "Größe"}, ensure_ascii=False).encode() + b"\n"
    for part in (line[:30], line[30:32], line[32:]):
        sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        time.sleep(0.05)
    print("a library's chatter", flush=True)
    say("finished", samples=[])


if __name__ == "__main__":
    job = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    {name: action for name, action in globals().items() if callable(action)}[sys.argv[1]](Path(job["out"]))
