"""The notice at the top: what went wrong, why, what to do, and a report to copy."""

import slicer

from ..translation import _


class NoticePanel:
    """Shows the session's failure; nothing pops up."""

    def __init__(self, session, ui):
        self.session = session
        self.ui = ui
        ui.noticeReportButton.clicked.connect(self.onCopy)
        ui.noticeLogButton.toggled.connect(self.onLog)
        ui.noticeCloseButton.clicked.connect(session.dismiss)
        session.listen(self.onChange)
        self.show(None)

    def onChange(self, what, told):
        if what == "failure":
            self.show(told)

    def show(self, failure):
        ui = self.ui
        ui.noticeFrame.visible = failure is not None
        ui.noticeLogButton.checked = False
        ui.noticeLogText.visible = False
        if failure is None:
            return
        ui.noticeTitleLabel.text = failure.title()
        ui.noticeMessageLabel.text = _("Cause: {cause}").format(cause=failure.message)
        ui.noticeRemedyLabel.text = _("What to do: {remedy}").format(remedy=failure.remedy)
        ui.noticeRemedyLabel.visible = bool(failure.remedy)
        ui.noticeLogText.plainText = failure.logTail
        ui.noticeLogButton.enabled = bool(failure.logTail)
        ui.noticeLogButton.toolTip = _("Show the worker's last lines") if failure.logTail else _("The worker said nothing")

    def onLog(self, on=False):
        self.ui.noticeLogText.visible = self.ui.noticeLogButton.checked

    def onCopy(self):
        if self.session.failure is not None:
            slicer.app.clipboard().setText(self.session.failure.report(self.session.report))
