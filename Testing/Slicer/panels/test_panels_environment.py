"""Where the worker runs and how it gets what it lacks: asked first, Slicer's own ways, a folder where there is no internet."""

import sys
import types

import pytest


class Settings(dict):
    def value(self, name):
        return self.get(name)

    def setValue(self, name, value):
        self[name] = value


@pytest.fixture
def packaging(desktop, monkeypatch):
    """slicer.packaging as far as it is asked; keeps what it was told."""
    import slicer

    told = []
    module = types.ModuleType("slicer.packaging")
    module.load_requirements = lambda path: [types.SimpleNamespace(name=one) for one in path.read_text().split()]
    module.pip_ensure = lambda requirements, **more: told.append(("ensure", requirements, more))
    module.pip_install = lambda requirements, **more: told.append(("install", requirements, more))
    monkeypatch.setitem(sys.modules, "slicer.packaging", module)
    monkeypatch.setattr(slicer, "packaging", module, raising=False)
    return told


@pytest.fixture
def requirements(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("numba scipy")
    return path


def test_slicers_own_python_is_the_default_and_another_can_be_chosen(desktop, monkeypatch):
    from StructDiffLib import environment

    monkeypatch.delenv("STRUCTDIFF_PYTHON", raising=False)
    settings = Settings()
    assert environment.chosenWorker(settings).ownPython
    environment.choosePython(settings, "/opt/conda/bin/python")
    worker = environment.chosenWorker(settings)
    assert (worker.python, worker.ownPython) == ("/opt/conda/bin/python", False)
    monkeypatch.setenv("STRUCTDIFF_PYTHON", "/usr/bin/python3")
    assert environment.chosenWorker(settings).python == "/usr/bin/python3"


def test_another_python_sees_nothing_of_slicers_paths(desktop, monkeypatch):
    from StructDiffLib.environment import Worker, coreFolder

    monkeypatch.setenv("PYTHONHOME", "/slicer/python")
    monkeypatch.setenv("PYTHONPATH", "/slicer/site-packages")
    other, own = Worker("python", ownPython=False).environment(), Worker("python", ownPython=True).environment()
    assert "PYTHONHOME" not in other
    assert other["PYTHONPATH"] == str(coreFolder())
    assert own["PYTHONHOME"] == "/slicer/python"
    assert own["PYTHONPATH"].endswith("/slicer/site-packages")
    assert {other["PYTHONUTF8"], other["PYTHONUNBUFFERED"]} == {"1"}


def test_only_what_is_missing_is_installed_and_slicer_does_it(packaging, requirements):
    from StructDiffLib import environment

    environment.install(["numba"], requirements)
    kind, names, more = packaging[0]
    assert kind == "ensure"
    assert "numba" in str(names)
    assert "scipy" not in str(names)
    assert more["prompt_install"] is False  # it was asked before, with sizes and licences


def test_without_internet_a_folder_is_enough_for_torch_too(packaging, requirements, tmp_path):
    from StructDiffLib import environment

    environment.install(["torch", "numba"], requirements, tmp_path)
    kind, arguments, _more = packaging[0]
    assert kind == "install"
    assert arguments[:3] == ["--no-index", "--find-links", str(tmp_path)]
    assert any(one.startswith("torch>=") for one in arguments)


def test_without_the_pytorch_extension_the_user_is_told_where_it_is(packaging, requirements, monkeypatch):
    from StructDiffLib import environment

    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(RuntimeError, match="Extensions Manager"):
        environment.install(["torch"], requirements)


def test_the_pytorch_extension_installs_torch(packaging, requirements, monkeypatch):
    from StructDiffLib import environment

    asked = []

    class PyTorchUtilsLogic:
        def installTorch(self, **more):
            asked.append(more)
            return object()

    monkeypatch.setitem(sys.modules, "PyTorchUtils", types.SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic))
    environment.install(["torch"], requirements)
    assert asked[0]["askConfirmation"] is False
    assert asked[0]["torchVersionRequirement"].startswith(">=")


def test_the_shipped_requirements_pin_nothing_and_leave_numpy_alone(desktop):
    from desktop import MODULE_FOLDER
    from StructDiffLib.environment import SIZES

    lines = (MODULE_FOLDER / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split(">")[0].strip() for line in lines if line and not line.startswith("#")]
    assert "==" not in "".join(lines)
    assert not {"numpy", "SimpleITK", "torch"} & set(names)
    assert set(names) <= set(SIZES), "a size and a licence for each"


def test_what_is_missing_is_asked_for_with_size_and_licence(widget, monkeypatch):
    import slicer
    from StructDiffLib import environment

    monkeypatch.delenv("STRUCTDIFF_PYTHON", raising=False)
    asked, installed = [], []
    monkeypatch.setattr(
        slicer.util, "confirmOkCancelDisplay", lambda text, title=None, **more: asked.append(text) or False, raising=False
    )
    monkeypatch.setattr(environment, "install", lambda *given: installed.append(given))
    desk = widget.desk.panels["EnvironmentPanel"]
    assert "Check the installation first" in desk.ui.installButton.toolTip()
    checks = [{"state": "missing", "what": "torch", "found": ""}, {"state": "ok", "what": "scipy", "found": "1"}]
    desk.onFinished({"checks": checks})
    assert desk.ui.installButton.isEnabled(), desk.ui.installButton.toolTip()
    desk.ui.installButton.click()
    assert "BSD-3-Clause" in asked[0]
    assert "GB" in asked[0]
    assert installed == []


def test_packages_of_another_python_are_the_users(widget):
    desk = widget.desk.panels["EnvironmentPanel"]
    desk.ui.pythonEdit.currentPath = "/opt/conda/bin/python"
    desk.onFinished({"checks": [{"state": "missing", "what": "torch", "found": ""}]})
    assert not desk.ui.installButton.isEnabled()
    assert '/opt/conda/bin/python -m pip install "torch' in desk.ui.adviceLabel.text()
    desk.ui.pythonEdit.currentPath = ""
