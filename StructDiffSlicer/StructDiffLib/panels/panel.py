"""Panel: a .ui file, the session it shows, and how buttons say why they cannot be pressed."""

import contextlib

import qt
import slicer


class Panel:
    """Base of the panels. A panel shows and asks; it decides nothing and writes no MRML data."""

    uiName = ""
    """Its file in Resources/UI, without the ending."""

    def __init__(self, session, uiFolder):
        self.session = session
        self.widget = slicer.util.loadUI(f"{uiFolder}/{self.uiName}.ui")
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.setup()
        session.listen(self.onChange)

    def setup(self):
        """Connect signals; called once."""

    def update(self):
        """Show the session's state; called on every change of it."""

    def onChange(self, what, told):
        """What the session tells; running events come many times a second and need no full update."""
        if what != "event":
            self.update()

    @property
    def parameters(self):
        return self.session.parameters

    def setScene(self, scene):
        """Give the scene to the node selectors."""
        for widget in self.ui.__dict__.values():
            if hasattr(widget, "setMRMLScene"):
                widget.setMRMLScene(scene)

    def enter(self):
        """The user came to the module."""

    def exit(self):
        """The user left the module."""

    def cleanup(self):
        """The module is unloaded or Slicer quits."""

    @contextlib.contextmanager
    def guarded(self):
        """Whatever goes wrong inside becomes a notice with cause and remedy."""
        try:
            with waiting():
                yield
        except Exception as error:
            self.session.fail(error)


def allow(button, reason, toolTip):
    """Enable a button, or disable it and let its tool tip say why."""
    button.enabled = not reason
    button.toolTip = reason or toolTip


def columns(table, names, wide):
    """Column titles; the column number ``wide`` takes the room that the others leave."""
    table.columnCount = len(names)
    table.setHorizontalHeaderLabels(names)
    table.verticalHeader().visible = False
    for column in range(len(names)):
        mode = qt.QHeaderView.Stretch if column == wide else qt.QHeaderView.ResizeToContents
        table.horizontalHeader().setSectionResizeMode(column, mode)


@contextlib.contextmanager
def waiting():
    """An hourglass while something takes a moment; no other event is let in meanwhile (slicer.util.WaitCursor lets them in)."""
    qt.QApplication.setOverrideCursor(qt.QCursor(qt.Qt.WaitCursor))
    try:
        yield
    finally:
        qt.QApplication.restoreOverrideCursor()


@contextlib.contextmanager
def silent(*widgets):
    """Set values without the widgets' signals."""
    before = [widget.blockSignals(True) for widget in widgets]
    try:
        yield
    finally:
        for widget, was in zip(widgets, before):
            widget.blockSignals(was)
