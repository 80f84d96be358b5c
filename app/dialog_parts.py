"""What the dialogs share."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QPushButton


def push_button(text: str, tip: str, then: Callable[[], object], name: str = "") -> QPushButton:
    """A button that Enter elsewhere in the dialog does not press; ``name``: for screen readers, where not the text."""
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAccessibleName(name or text)
    button.setAutoDefault(False)
    button.clicked.connect(lambda: then())
    return button
