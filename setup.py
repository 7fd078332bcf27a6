"""Carries Resources/Models and Resources/Templates into the wheel (all else stands in pyproject.toml)."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithResources(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for room in ("Models", "Templates"):
            target = Path(self.build_lib) / "StructDiffCore" / "Resources" / room
            shutil.copytree(Path("Resources") / room, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithResources})
