"""What pyproject.toml cannot say: folders of the checkout that an installed package carries inside itself."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARRIED = {  # folder of the checkout: what of it is carried, into kwscore/FOLDER
    "checkpoints_full": ("*.safetensors", "*.json", "*.kwsf"),
    "assets": ("*.svg", "*.desktop", "icons/*.png", "demo/*.opus", "demo/playlist.json", "demo/clean/*.flac"),
}


class BuildWithResources(build_py):
    """An ordinary build; an editable installation finds the folders where they are."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source, target in self._carried():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        carried = [] if self.editable_mode else [str(target) for _, target in self._carried()]
        return [*super().get_outputs(include_bytecode), *carried]

    def _carried(self) -> list[tuple[Path, Path]]:
        found = []
        for folder, patterns in CARRIED.items():
            files = sorted({path for pattern in patterns for path in Path(folder).glob(pattern)})
            if not files:
                raise FileNotFoundError(f"{folder}: nothing to carry; build from a complete checkout")
            found += [(path, Path(self.build_lib, "kwscore", path)) for path in files]
        return found


setup(cmdclass={"build_py": BuildWithResources})
