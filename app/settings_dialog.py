"""Everything that can be set, from the one list in ``app.settings``: searchable, effective at once, each row with a way
back to its default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QAction, QFont, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import icons
from app import settings as store
from app.commands import BY_NAME, tooltip
from app.preferences import Preference
from app.theme import Theme, font, scaled
from kwscore.errors import KWScopeError

FILES = "Settings (*.json);;All files (*)"
LINKS = {"calibrate": "Measure", "detection": "Open", "layout": "Restore", "help": "Show"}
"""Commands offered as rows, so that a search for them leads somewhere, and what their buttons say."""


class Host(Protocol):
    """The part of the window that the dialog needs."""

    theme: Theme
    settings: store.Settings
    actions_by_name: dict[str, QAction]

    def set_preference(self, name: str, value: Any) -> None: ...
    def import_settings(self, path: Path) -> str: ...
    def export_settings(self, path: Path) -> str: ...


class _NoWheel(QObject):
    """The wheel scrolls the list; it changes a control only once that has the focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


class _Row(QWidget):
    """A label with its help, a control at the right, and the way back."""

    def __init__(self, label: str, help: str, control: QWidget, reset: Callable[[], None] | None) -> None:
        super().__init__()
        self.control = control
        self.label, self.help = QLabel(label), QLabel(help)
        self.label.setBuddy(control)
        self.help.setWordWrap(True)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(self.label)
        words.addWidget(self.help)
        self.back = QToolButton()
        self.back.setToolTip("Back to the default")
        self.back.setAccessibleName(f"Reset {label}")
        if reset is None:
            self.back.setEnabled(False)
            policy = self.back.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            self.back.setSizePolicy(policy)
            self.back.hide()
        else:
            self.back.clicked.connect(reset)
        control.setAccessibleName(label)
        control.setAccessibleDescription(help)
        control.setToolTip(f"<p>{help}</p>")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 6, 0, 6)
        row.setSpacing(12)
        row.addLayout(words, 1)
        row.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.back, 0, Qt.AlignmentFlag.AlignVCenter)

    def set_theme(self, theme: Theme) -> None:
        self.label.setFont(font(13))
        self.help.setFont(font(12))
        self.help.setStyleSheet(f"color: {theme.muted}")
        self.back.setIconSize(QSize(scaled(16), scaled(16)))
        self.back.setIcon(icons.icon("reset", theme.muted))


class SettingsDialog(QDialog):
    """Stays open beside the window, so that the effect is seen at once."""

    def __init__(self, window: QWidget, host: Host) -> None:
        super().__init__(window)
        self.host = host
        self.setWindowTitle("Settings")
        self.setModal(False)
        self._wheel = _NoWheel(self)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search settings")
        self.search.setAccessibleName("Search settings")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        find = QShortcut(QKeySequence.StandardKey.Find, self)
        find.activated.connect(self.search.setFocus)
        self.rows: dict[str, _Row] = {}
        self.controls: dict[str, tuple[QWidget, Callable[[Any], None]]] = {}
        self.headings: dict[str, QLabel] = {}
        self._members: dict[str, list[str]] = {}
        self._column = QVBoxLayout()
        self._column.setContentsMargins(20, 4, 14, 12)
        self._column.setSpacing(0)
        for row in store.PREFERENCES:
            self._add(row.group, row.name, self._preference_row(row))
        for name in LINKS:
            self._add("More", name, self._link_row(name))
        self.nothing = QLabel("No setting has these words: try fewer of them.")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing.hide()
        self._column.addWidget(self.nothing)
        self._column.addStretch(1)
        inner = QWidget()
        inner.setLayout(self._column)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the control that has the focus
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setAccessibleName("Message")
        self.message.setContentsMargins(20, 4, 20, 4)
        self.message.hide()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 14, 0, 12)
        outer.setSpacing(8)
        head = QHBoxLayout()
        head.setContentsMargins(20, 0, 20, 0)
        head.addWidget(self.search)
        outer.addLayout(head)
        outer.addWidget(scroll, 1)
        outer.addWidget(self.message)
        outer.addLayout(self._buttons())
        self.resize(min(scaled(620), window.width()), min(scaled(600), max(window.height(), 600)))
        self.set_theme(host.theme)
        self.show_values()

    # -- building ---------------------------------------------------------------------------------------------

    def _add(self, group: str, name: str, row: _Row) -> None:
        if group not in self.headings:
            heading = self.headings[group] = QLabel(group)
            heading.setContentsMargins(0, 12, 0, 2)
            self._column.addWidget(heading)
        self._members.setdefault(group, []).append(name)
        self.rows[name] = row
        self._column.addWidget(row)

    def _preference_row(self, row: Preference) -> _Row:
        control, show = _control(row, lambda value: self._set(row.name, value))
        control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        control.installEventFilter(self._wheel)
        if not isinstance(control, QCheckBox):
            control.setMinimumWidth(170)
        self.controls[row.name] = control, show
        made = _Row(row.label, row.help, control, lambda: self._set(row.name, row.default))
        return made

    def _link_row(self, name: str) -> _Row:
        command = BY_NAME[name]
        button = QPushButton(LINKS[name])
        button.setAutoDefault(False)
        button.clicked.connect(self.host.actions_by_name[name].trigger)
        return _Row(command.text, tooltip(name), button, None)

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(20, 0, 20, 0)
        self.buttons: dict[str, QPushButton] = {}
        for name, text, tip, slot in (
            ("import", "Import…", "Take over the settings of a file", self._import),
            ("export", "Export…", "Settings, layout and detection settings as a file", self._export),
            ("defaults", "All to default", "Every setting in this list back to its default", self._reset),
            ("close", "Close", "Close (Esc)", self.close),
        ):
            button = self.buttons[name] = QPushButton(text)
            button.setToolTip(tip)
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            if name == "close":
                row.addStretch(1)
            row.addWidget(button)
        return row

    # -- what happens -----------------------------------------------------------------------------------------

    def show_values(self) -> None:
        """Show what is set now."""
        for row in store.PREFERENCES:
            value = getattr(self.host.settings, row.name)
            control, show = self.controls[row.name]
            blocked = control.blockSignals(True)
            show(value)
            control.blockSignals(blocked)
            self.rows[row.name].back.setEnabled(value != row.default)

    def set_theme(self, theme: Theme) -> None:
        for heading in self.headings.values():
            heading.setFont(font(13, QFont.Weight.DemiBold))
            heading.setStyleSheet(f"color: {theme.accent}")
        self.nothing.setFont(font(13))
        for row in self.rows.values():
            row.set_theme(theme)

    def say(self, sentence: str, bad: bool = False) -> None:
        """One sentence above the buttons; empty takes it away."""
        theme = self.host.theme
        self.message.setText(("✗ " if bad else "") + sentence)
        self.message.setStyleSheet(f"color: {theme.bad if bad else theme.text}")
        self.message.setVisible(bool(sentence))

    def _set(self, name: str, value: Any) -> None:
        try:
            self.host.set_preference(name, value)
        except KWScopeError as error:
            self.say(str(error), bad=True)
        else:
            self.say("")
        self.show_values()

    def _reset(self) -> None:
        for row in store.PREFERENCES:
            if getattr(self.host.settings, row.name) != row.default:
                self._set(row.name, row.default)
        self.say("Every setting has its default again.")

    def _filter(self, text: str) -> None:
        rows = {row.name: row for row in store.PREFERENCES}
        shown = set()
        for name, widget in self.rows.items():
            if name in rows:
                fits = rows[name].matches(text)
            else:
                said = f"{BY_NAME[name].text} {BY_NAME[name].tip}".lower()
                fits = all(word in said for word in text.lower().split())
            widget.setVisible(fits)
            shown |= {name} if fits else set()
        for group, members in self._members.items():
            self.headings[group].setVisible(not shown.isdisjoint(members))
        self.nothing.setVisible(not shown)

    def _import(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Import settings", self.host.settings.folder, FILES)
        if name:
            self._carry(self.host.import_settings, Path(name))

    def _export(self) -> None:
        start = str(Path(self.host.settings.folder, "kwscope-settings.json"))
        name, _ = QFileDialog.getSaveFileName(self, "Export settings", start, FILES)
        if name:
            path = Path(name)
            self._carry(self.host.export_settings, path if path.suffix else path.with_name(path.name + ".json"))

    def _carry(self, act: Callable[[Path], str], path: Path) -> None:
        try:
            said = act(path)
        except KWScopeError as error:
            self.say(str(error), bad=True)
        else:
            self.say(said)
        self.show_values()


def _control(row: Preference, changed: Callable[[Any], None]) -> tuple[QWidget, Callable[[Any], None]]:
    """The control of a preference and what shows a value on it; ``changed`` is called when the user sets one."""
    if row.choices:
        combo = QComboBox()
        values = [value for value, _ in row.choices]
        combo.addItems([words for _, words in row.choices])
        combo.currentIndexChanged.connect(lambda index: changed(values[index]))
        return combo, lambda value: combo.setCurrentIndex(values.index(value))
    if isinstance(row.default, bool):
        box = QCheckBox()
        box.toggled.connect(changed)
        return box, box.setChecked
    if isinstance(row.default, int):
        whole = QSpinBox()
        whole.setRange(round(row.low), round(row.high))
        whole.setSingleStep(round(row.step))
        whole.setSuffix(f" {row.unit}" if row.unit else "")
        whole.setKeyboardTracking(False)
        whole.valueChanged.connect(changed)
        return whole, whole.setValue
    if isinstance(row.default, float):
        number = QDoubleSpinBox()
        number.setRange(row.low, row.high)
        number.setSingleStep(row.step)
        number.setSuffix(f" {row.unit}" if row.unit else "")
        number.setKeyboardTracking(False)
        number.valueChanged.connect(changed)
        return number, number.setValue
    line = _Folder(row.label) if row.folder else QLineEdit()
    field = line.line if isinstance(line, _Folder) else line
    field.editingFinished.connect(lambda: changed(field.text()))
    return line, field.setText


class _Folder(QWidget):
    """A text field for a folder with a button that chooses one."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.setAccessibleName(label)
        self.line.setPlaceholderText("the usual one")
        self.setFocusProxy(self.line)
        self.browse = QToolButton()
        self.browse.setText("…")
        self.browse.setToolTip("Choose a folder")
        self.browse.setAccessibleName(f"Choose {label}")
        self.browse.clicked.connect(self._choose)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.line)
        row.addWidget(self.browse)

    def _choose(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Choose a folder", self.line.text())
        if name:
            self.line.setText(name)
            self.line.editingFinished.emit()
