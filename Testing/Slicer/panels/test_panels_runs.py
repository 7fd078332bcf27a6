"""Runs from the panel's buttons with a worker that behaves badly: the user sees category, cause, remedy; the scene stays."""

import json
import os
import time

import pytest


def press(widget, panel, button):
    target = getattr(widget.desk.panels[panel].ui, button)
    assert target.isEnabled(), target.toolTip()
    target.click()


def synthesize(widget):
    press(widget, "SynthesisPanel", "synthesizeButton")


def nodes_of(scene):
    return {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}


def alive(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return not open(f"/proc/{pid}/stat").read().split(")")[1].strip().startswith("Z") if os.path.exists("/proc") else True


@pytest.mark.parametrize(
    ("behaviour", "category", "cause", "title"),
    [
        ("crash", "internal", "ZeroDivisionError", "The run failed"),
        ("missing", "missing_dependency", "torch", "Something is not installed"),
        ("memory", "out_of_memory", "out of memory", "Not enough memory"),
        ("device", "device", "no CUDA device", "The device cannot be used"),
        ("full", "internal", "disk is full", "The run failed"),
        ("killed", "out_of_memory", "signal 9", "Not enough memory"),
    ],
)
def test_a_failed_run_says_category_cause_and_remedy(widget, ready, stub_worker, wait, scene, behaviour, category, cause, title):
    before = nodes_of(scene)
    stub_worker(behaviour)
    synthesize(widget)
    wait(lambda: not widget.session.running)
    failure = widget.session.failure
    assert failure.category == category
    assert cause in failure.message
    assert not widget.ui.noticeFrame.isHidden()
    assert widget.ui.noticeTitleLabel.text() == title
    assert cause in widget.ui.noticeMessageLabel.text()
    assert failure.remedy
    assert nodes_of(scene) == before
    assert widget.desk.panels["SynthesisPanel"].ui.synthesizeButton.isEnabled()


def test_the_report_can_be_copied_and_the_notice_closed(widget, ready, stub_worker, wait):
    from PySide6.QtGui import QGuiApplication

    stub_worker("crash")
    synthesize(widget)
    wait(lambda: not widget.session.running)
    widget.ui.noticeReportButton.click()
    report = QGuiApplication.clipboard().text()
    assert "ZeroDivisionError" in report
    assert "structdiff work" in report
    assert "5.12.0" in report
    widget.ui.noticeLogButton.click()
    assert "Traceback" in widget.ui.noticeLogText.toPlainText()
    widget.ui.noticeCloseButton.click()
    assert widget.ui.noticeFrame.isHidden()


def test_cancel_stops_a_run_and_leaves_the_scene(widget, ready, stub_worker, wait, scene):
    before = nodes_of(scene)
    panel = widget.desk.panels["SynthesisPanel"].ui
    stub_worker("patient")
    synthesize(widget)
    wait(lambda: panel.progressBar.value() > 3)
    assert "1 min 05 s left" in panel.stageLabel.text()
    assert not panel.synthesizeButton.isEnabled()
    assert "under way" in panel.synthesizeButton.toolTip()
    press(widget, "SynthesisPanel", "cancelButton")
    wait(lambda: not widget.session.running, 10)
    assert widget.session.failure.category == "cancelled"
    assert nodes_of(scene) == before


def test_a_worker_without_ears_is_ended_with_its_children(widget, ready, stub_worker, wait):
    from StructDiffLib.jobs import Grace

    heard = []
    widget.session.listen(lambda what, told: heard.append(told) if what == "event" else None)
    widget.session.runner._grace = Grace(cancelFile=0.2, terminate=0.2)
    stub_worker("deaf")
    synthesize(widget)
    wait(lambda: heard)
    child = int(heard[0]["message"].split()[1])
    assert alive(child)
    press(widget, "SynthesisPanel", "cancelButton")
    wait(lambda: not widget.session.running, 10)
    wait(lambda: not alive(child), 5)
    assert widget.session.failure.category == "cancelled"


def test_the_second_rung_of_the_ladder_is_a_polite_end(widget, ready, stub_worker, wait):
    from StructDiffLib.jobs import Grace

    widget.session.runner._grace = Grace(cancelFile=0.2, terminate=60.0)
    stub_worker("polite")
    synthesize(widget)
    wait(lambda: widget.desk.panels["SynthesisPanel"].ui.progressBar.maximum() == 10)
    press(widget, "SynthesisPanel", "cancelButton")
    wait(lambda: not widget.session.running, 10)
    assert widget.session.failure.category == "cancelled"


def test_a_second_run_is_refused_in_words(widget, ready, stub_worker, wait):
    from StructDiffLib.jobs import Busy

    stub_worker("patient")
    synthesize(widget)

    with pytest.raises(Busy, match="already under way"):
        widget.session.synthesize()
    assert not widget.desk.panels["EnvironmentPanel"].ui.doctorButton.isEnabled()
    widget.session.cancel()
    wait(lambda: not widget.session.running, 10)


def test_closing_the_scene_cancels_the_run_and_says_so(widget, ready, stub_worker, wait, scene):
    stub_worker("patient")
    synthesize(widget)
    wait(lambda: widget.desk.panels["SynthesisPanel"].ui.progressBar.value() > 1)
    scene.Clear(False)
    wait(lambda: not widget.session.running, 10)
    assert widget.session.failure.category == "cancelled"
    assert scene.GetFirstNodeByClass("vtkMRMLSegmentationNode") is None


def test_a_mask_deleted_during_a_run_does_no_harm(widget, ready, stub_worker, wait, scene):
    stub_worker("patient")
    synthesize(widget)
    wait(lambda: widget.desk.panels["SynthesisPanel"].ui.progressBar.value() > 1)
    scene.RemoveNode(ready.mask)
    widget.session.cancel()
    wait(lambda: not widget.session.running, 10)
    button = widget.desk.panels["SynthesisPanel"].ui.synthesizeButton
    assert not button.isEnabled()
    assert "Choose a mask" in button.toolTip()


def test_reloading_the_module_ends_the_worker(widget, ready, stub_worker, wait):
    heard = []
    widget.session.listen(lambda what, told: heard.append(told) if what == "event" else None)
    stub_worker("deaf")
    synthesize(widget)
    wait(lambda: heard)
    pid = widget.session.runner._process.pid
    widget.desk.cleanup()
    wait(lambda: not alive(pid), 5)
    assert not widget.session.running


def test_events_arrive_whole_whatever_the_pieces(widget, ready, stub_worker, wait):
    stub_worker("pieces")
    synthesize(widget)
    wait(lambda: not widget.session.running)
    log = widget.desk.panels["SynthesisPanel"].ui.logText.toPlainText()
    assert "Größe" in log
    assert "a library's chatter" in log
    assert widget.session.failure.message == "the run made no volume"


def test_a_python_that_is_not_there_is_a_plain_message(widget, ready, wait, monkeypatch):
    monkeypatch.setenv("STRUCTDIFF_PYTHON", "/nowhere/python")
    synthesize(widget)
    wait(lambda: not widget.session.running)
    assert widget.session.failure.category == "missing_dependency"
    assert "another Python" in widget.session.failure.remedy


def test_the_gui_thread_turns_on_while_a_job_talks(widget, ready, stub_worker, wait):
    """No turn of the event loop takes over 50 ms (on a quiet machine; 150 ms here, for a busy one)."""
    from PySide6.QtWidgets import QApplication

    stub_worker("patient")
    synthesize(widget)
    wait(lambda: widget.desk.panels["SynthesisPanel"].ui.progressBar.value() > 1)
    longest = 0.0
    for _turn in range(100):
        begun = time.perf_counter()
        QApplication.processEvents()
        longest = max(longest, time.perf_counter() - begun)
        time.sleep(0.005)
    widget.session.cancel()
    wait(lambda: not widget.session.running, 10)
    assert longest < 0.15


def test_the_job_file_lies_beside_the_result_and_is_the_job(widget, ready, stub_worker, wait):
    stub_worker("memory")
    synthesize(widget)
    wait(lambda: not widget.session.running)
    job = widget.session.lastJob
    with open(os.path.join(job["out"], "job.json"), encoding="utf-8") as file:
        assert json.load(file) == job


def test_cancelling_while_the_inputs_are_written_starts_no_worker(widget, ready, stub_worker, wait):
    stub_worker("deaf")
    synthesize(widget)
    press(widget, "SynthesisPanel", "cancelButton")
    wait(lambda: not widget.session.running, 10)
    assert widget.session.failure.category == "cancelled"
    assert widget.session.lastJob is None


def test_a_full_disk_while_the_inputs_are_written_is_a_plain_message(widget, ready, wait, monkeypatch):
    import errno

    from StructDiffLib.readAhead import ReadAhead

    def full(self, folder):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(ReadAhead, "write", full)
    synthesize(widget)
    wait(lambda: not widget.session.running, 10)
    assert "the disk is full" in widget.session.failure.message
    assert "free some space" in widget.session.failure.remedy


def test_a_template_deleted_at_the_last_moment_is_a_plain_message(widget, ready, wait, scene):
    source = widget.session.template()
    scene.RemoveNode(ready.image)
    try:
        widget.session.synthesize(source=source)
    except Exception as error:
        widget.session.fail(error)
    assert "no longer in the scene" in widget.session.failure.message
    assert not widget.session.running


def test_a_runs_folder_that_vanishes_still_ends_in_a_cancelled_run(widget, ready, stub_worker, wait):
    import shutil

    from StructDiffLib.jobs import Grace

    heard = []
    widget.session.listen(lambda what, told: heard.append(told) if what == "event" else None)
    widget.session.runner._grace = Grace(cancelFile=0.2, terminate=0.2)
    stub_worker("deaf")
    synthesize(widget)
    wait(lambda: heard)
    shutil.rmtree(widget.session.runsFolder)
    press(widget, "SynthesisPanel", "cancelButton")
    wait(lambda: not widget.session.running, 10)
    assert widget.session.failure.category == "cancelled"
