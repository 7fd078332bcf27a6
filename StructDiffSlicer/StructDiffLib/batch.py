"""Batch: mask and template pairs, synthesised one after the other."""


class Batch:
    """A queue over the session: each run starts when the one before has ended; a failed pair does not stop the others."""

    def __init__(self, session, onChange):
        self._session = session
        self._onChange = onChange
        self._waiting = []
        self._stopped = False
        self.done = 0
        self.failed = 0
        self.total = 0

    @property
    def running(self):
        return self.done + self.failed < self.total

    def start(self, pairs):
        """``pairs``: (mask node, Source) each; raises Busy where a run is under way."""
        self._waiting = list(pairs)
        self._stopped = False
        self.done, self.failed, self.total = 0, 0, len(self._waiting)
        self._next()

    def stop(self):
        """No further pair; the one under way is the runner's to cancel."""
        self._stopped = True
        self._waiting = []

    def _next(self):
        self._onChange()
        while self._waiting and not self._session.running:
            mask, source = self._waiting.pop(0)
            try:
                self._session.synthesize(mask, source, after=self._ended, quiet=True)
            except Exception as error:
                self.failed += 1
                self._session.fail(error)
                self._onChange()

    def _ended(self, made):
        if made is None:
            self.failed += 1
        else:
            self.done += 1
        if self._stopped:
            self.total = self.done + self.failed
        self._next()
