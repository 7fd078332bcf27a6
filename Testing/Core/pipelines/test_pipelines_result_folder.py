"""Results appear whole under their final name, or not at all."""

import errno
import os
import subprocess
import sys

import pytest

from StructDiffCore.domain import StructDiffError
from StructDiffCore.pipelines.result_folder import ResultFolder


def write_one(folder, name="sample-000"):
    with folder.opened(), folder.result(name) as partial:
        (partial / "image.txt").write_text("voxels")


def names_in(path):
    return sorted(entry.name for entry in path.iterdir())


def test_a_finished_result_has_its_final_name(tmp_path):
    write_one(ResultFolder.checked(tmp_path / "out"))
    assert names_in(tmp_path / "out") == ["sample-000"]
    assert (tmp_path / "out/sample-000/image.txt").read_text() == "voxels"


def test_checking_writes_nothing(tmp_path):
    ResultFolder.checked(tmp_path / "a" / "b")
    assert names_in(tmp_path) == []


def test_a_failure_leaves_no_folder(tmp_path):
    folder = ResultFolder.checked(tmp_path / "out")

    def fill_the_disk():
        with folder.opened(), folder.result("sample-000") as partial:
            (partial / "image.txt").write_text("half")
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        fill_the_disk()
    assert names_in(tmp_path) == []


def test_a_failure_keeps_the_results_finished_before(tmp_path):
    folder = ResultFolder.checked(tmp_path / "out")

    def interrupted_in_the_second():
        with folder.opened():
            with folder.result("sample-000") as partial:
                (partial / "image.txt").write_text("voxels")
            with folder.result("sample-001"):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_in_the_second()
    assert names_in(tmp_path / "out") == ["sample-000"]


def test_a_folder_that_was_there_stays_there(tmp_path):
    folder = ResultFolder.checked(tmp_path)
    with pytest.raises(KeyboardInterrupt), folder.opened():
        raise KeyboardInterrupt
    assert tmp_path.is_dir()


def test_what_a_killed_run_left_is_cleared(tmp_path):
    killed = subprocess.Popen([sys.executable, "-c", "pass"])
    killed.wait()
    leftover = tmp_path / "out" / f".sample-000.{killed.pid}.partial"
    leftover.mkdir(parents=True)
    (leftover / "image.txt").write_text("half")
    write_one(ResultFolder.checked(tmp_path / "out"))
    assert names_in(tmp_path / "out") == ["sample-000"]


def test_two_runs_never_share_a_folder(tmp_path):
    (tmp_path / f".sample-000.{os.getppid()}.partial").mkdir()
    with pytest.raises(StructDiffError, match=f"process {os.getppid()} is writing"):
        ResultFolder.checked(tmp_path)


@pytest.mark.parametrize(
    ("prepare", "fact"),
    [
        (lambda path: path.write_text("a file"), "is a file"),
        (lambda path: (path.mkdir(), (path / "other.txt").write_text("mine")), "is not empty .it holds other.txt"),
    ],
)
def test_a_file_or_a_filled_folder_is_refused_and_untouched(tmp_path, prepare, fact):
    out = tmp_path / "out"
    prepare(out)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with pytest.raises(StructDiffError, match=fact):
        ResultFolder.checked(out)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(StructDiffError, match="is a file, so"):
        ResultFolder.checked(tmp_path / "file" / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(StructDiffError, match="no permission"):
        ResultFolder.checked(tmp_path / "locked" / "out")


def test_a_disk_without_room_is_refused(tmp_path):
    with pytest.raises(StructDiffError, match="MiB free, the results need about"):
        ResultFolder.checked(tmp_path).need_space(2**62)


def test_the_cancel_file_cancels(tmp_path):
    folder = ResultFolder.checked(tmp_path)
    folder.refuse_cancelled()
    (tmp_path / "cancel").touch()
    with pytest.raises(StructDiffError) as refused:
        folder.refuse_cancelled()
    assert refused.value.category == "cancelled"
