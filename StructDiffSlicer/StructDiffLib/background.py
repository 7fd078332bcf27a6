"""Background: long calls without MRML and Qt in them run in a thread; their ends are told on the event loop's thread."""

import queue
import threading
import time

PATIENCE_AT_CLOSE_S = 5.0


class Background:
    """Submit work, call ``poll`` from a timer."""

    def __init__(self):
        self._ends = queue.Queue()
        self._open = 0
        self._threads = []
        self._closed = False

    @property
    def busy(self):
        return self._open > 0

    def submit(self, work, done):
        """Run ``work()`` in a thread; ``poll`` then calls ``done(result, None)`` or ``done(None, error)``."""
        self._open += 1
        thread = threading.Thread(target=self._run, args=(work, done), name="structdiff-background", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

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
        """Nobody wants to hear of the ends any more; what runs may end first, so that no thread reads on while Qt and VTK go."""
        self._closed = True
        end = time.monotonic() + PATIENCE_AT_CLOSE_S
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
