"""Background: long calls without MRML and Qt in them run in a thread; their ends are told on the event loop's thread."""

import queue
import threading


class Background:
    """Submit work, call ``poll`` from a timer."""

    def __init__(self):
        self._ends = queue.Queue()
        self._open = 0
        self._closed = False

    @property
    def busy(self):
        return self._open > 0

    def submit(self, work, done):
        """Run ``work()`` in a thread; ``poll`` then calls ``done(result, None)`` or ``done(None, error)``."""
        self._open += 1
        threading.Thread(target=self._run, args=(work, done), name="structdiff-background", daemon=True).start()

    def _run(self, work, done):
        try:
            self._ends.put((done, work(), None))
        except Exception as error:  # told to the one who asked
            self._ends.put((done, None, error))

    def poll(self):
        """Tell what has ended since the last call. Never waits."""
        while not self._ends.empty():
            done, result, error = self._ends.get()
            self._open -= 1
            if not self._closed:
                done(result, error)

    def close(self):
        """Nobody wants to hear of the ends any more."""
        self._closed = True
