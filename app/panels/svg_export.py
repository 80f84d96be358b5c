"""pyqtgraph 0.14 cannot export a picture as SVG with a Qt that closes paths by "Z" (pyqtgraph issue 3495)."""

from __future__ import annotations

import importlib
from typing import Any

EXPORTER = "pyqtgraph.exporters.SVGExporter"  # by name: the package has a class of the same name


def repair() -> None:
    """Take the closing letters away before pyqtgraph reads the paths: those that Qt closes end where they began."""
    exporter: Any = importlib.import_module(EXPORTER)
    original = exporter.correctCoordinates
    if getattr(original, "reads_closed_paths", False):
        return

    def correct(node: Any, *others: Any) -> Any:
        for path in node.getElementsByTagName("path"):
            path.setAttribute("d", " ".join(part for part in path.getAttribute("d").split() if part not in "Zz"))
        return original(node, *others)

    correct.reads_closed_paths = True  # type: ignore[attr-defined]
    exporter.correctCoordinates = correct
