"""WorkerProcess: a child process whose output is read without ever waiting for it, and that ends with all its children.

Threads read the two pipes, the caller asks from a timer: the way of ``slicer.util.launchConsoleProcess(blocking=False)``,
with a handle to the whole process tree.
"""

import collections
import contextlib
import os
import queue
import signal
import subprocess
import threading
import time

CHUNK_BYTES = 65536
TAIL_LINES = 200
PATIENCE_AFTER_EXIT_S = 2.0


class WorkerProcess:
    """A running command. Every method returns at once."""

    def __init__(self, command, environment, folder):
        """Start ``command`` (list of str) in ``folder`` with exactly this ``environment``; raises OSError where it cannot."""
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=str(folder),
            bufsize=0,
            **_ownGroup(),
        )
        self._output = queue.Queue()
        self._tail = collections.deque(maxlen=TAIL_LINES)
        self._ended = None
        self._readers = [self._reader(self._readOutput), self._reader(self._readErrors)]

    @property
    def pid(self):
        """Number of the child process; it leads a group of its own."""
        return self._process.pid

    def read(self):
        """Bytes of stdout that came since the last call."""
        parts = []
        with contextlib.suppress(queue.Empty):
            while True:
                parts.append(self._output.get_nowait())
        return b"".join(parts)

    def exitCode(self):
        """None while it runs or its last words are still on their way; negative: ended by that signal."""
        code = self._process.poll()
        if code is None:
            return None
        self._ended = self._ended or time.monotonic()
        waitedEnough = time.monotonic() - self._ended > PATIENCE_AFTER_EXIT_S
        return code if waitedEnough or not any(reader.is_alive() for reader in self._readers) else None

    def errorTail(self):
        """The last lines of stderr."""
        return "\n".join(self._tail)

    def terminate(self):
        """Ask politely; the worker cleans up and says that it was cancelled."""
        with contextlib.suppress(OSError):
            if os.name == "nt":
                self._process.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                os.killpg(self._process.pid, signal.SIGTERM)

    def killTree(self):
        """End the process and everything it started."""
        with contextlib.suppress(OSError):
            if os.name == "nt":
                hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
                subprocess.Popen(["taskkill", "/F", "/T", "/PID", str(self._process.pid)], creationflags=hidden)
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    def _reader(self, read):
        thread = threading.Thread(target=read, name="structdiff-reader", daemon=True)
        thread.start()
        return thread

    def _readOutput(self):
        with contextlib.suppress(OSError, ValueError), self._process.stdout as pipe:
            while chunk := os.read(pipe.fileno(), CHUNK_BYTES):
                self._output.put(chunk)

    def _readErrors(self):
        with contextlib.suppress(OSError, ValueError), self._process.stderr as pipe:
            for line in pipe:
                self._tail.append(line.decode("utf-8", "replace").rstrip())


def _ownGroup():
    """What makes the child the head of a group of its own, with no console window on Windows."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
