"""User-visible strings go through ``_``: Slicer's translation where it exists, the string itself without the application."""

try:
    from slicer.i18n import tr as _
except ImportError:  # slicer-core and tests have no application

    def _(text):
        return text


__all__ = ["_"]
