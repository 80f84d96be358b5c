"""Which network a published file holds: by what it says, by its file name, or because only one fits."""

from __future__ import annotations

from pathlib import Path

from kwscore.errors import KWScopeError
from kwscore.models.cnn import CnnBaseline
from kwscore.models.config import ALIASES, BASELINES, REGISTRY
from kwscore.models.network import NanoMamba
from kwscore.models.published import load_published

PUBLISHED_SUFFIXES = (".pt", ".pth")


def open_published(path: str | Path) -> NanoMamba | CnnBaseline:
    """The network of a published file (clip schedule) whose name nobody gave.

    The longest network name that the file's or its folder's name contains decides; else the tensors, where they are
    one network's only. Raises KWScopeError for a file that is missing or damaged, that fits no network, or that fits
    several: then the file has to be renamed.
    """
    path = Path(path)
    if not path.is_file():
        raise KWScopeError(f"There is no file {path}: check the name.")
    for said in (path.stem, path.parent.name):
        named = max((name for name in (*REGISTRY, *BASELINES, *ALIASES) if name in said), key=len, default="")
        if named:
            return load_published(path, named)
    fitting, refusal = [], ""
    for name in (*REGISTRY, *BASELINES):
        try:
            fitting.append(load_published(path, name))
        except KWScopeError as error:
            refusal = refusal or str(error)
    if not fitting:
        raise KWScopeError(f"{path} holds none of the published networks. Tried as {next(iter(REGISTRY))}: {refusal}")
    if len(fitting) > 1:
        names = ", ".join(net.config.name for net in fitting)
        raise KWScopeError(
            f"{path} fits several networks ({names}): put the right name into the file's name, "
            f"for instance {fitting[0].config.name}.pt."
        )
    return fitting[0]
