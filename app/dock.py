"""A dock with a quiet title bar: what the panel shows in one line, the value under the cursor, enlarge and hide."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from app import icons
from app.theme import Theme, font, scaled


class _Elided(QLabel):
    """One line that ends in an ellipsis where there is no room for all of it."""

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self.font())
        painter.setPen(self.palette().color(self.foregroundRole()))
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)
        painter.end()


class _TitleBar(QWidget):
    double_clicked = Signal()

    def __init__(self, dock: Dock, title: str, about: str) -> None:
        super().__init__(dock)
        self.setAutoFillBackground(True)
        self.setToolTip(f"<p><b>{title}</b></p><p>{about}</p>")
        head, _, tail = title.partition(":")
        self.name = QLabel(head)
        self.rest = _Elided(tail.strip())
        self.rest.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.value = QLabel("")
        self.enlarge = QToolButton()
        self.hide_button = QToolButton()
        for button, name, slot in (
            (self.enlarge, f"Enlarge {head}", dock.enlarge_wanted.emit),
            (self.hide_button, f"Hide {head}", dock.close),
        ):
            button.setObjectName("title")
            button.setAccessibleName(name)
            button.setToolTip(
                name + (" (double click on the title)" if button is self.enlarge else " (bring it back from View)")
            )
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(slot)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 4, 0)
        row.setSpacing(6)
        row.addWidget(self.name)
        row.addWidget(self.rest, 1)
        row.addWidget(self.value)
        row.addWidget(self.enlarge)
        row.addWidget(self.hide_button)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.double_clicked.emit()

    def set_theme(self, theme: Theme) -> None:
        self.setFixedHeight(max(22, scaled(21)))
        self.name.setFont(font(12, QFont.Weight.DemiBold))
        self.rest.setFont(font(12))
        self.value.setFont(font(12))
        self.name.setStyleSheet(f"color: {theme.text}; font-weight: 600")
        self.rest.setStyleSheet(f"color: {theme.muted}")
        self.value.setStyleSheet(f"color: {theme.text}")
        for button in (self.enlarge, self.hide_button):
            button.setIconSize(QSize(scaled(14), scaled(14)))
        self.enlarge.setIcon(icons.icon("enlarge", theme.muted))
        self.hide_button.setIcon(icons.icon("close", theme.muted))


class Dock(QDockWidget):
    """Holds one panel; its object name is the panel's key, by which the layout is remembered."""

    enlarge_wanted = Signal()

    def __init__(self, panel: QWidget, key: str, title: str, about: str) -> None:
        super().__init__(title.partition(":")[0])
        self.setObjectName(key)
        self.key = key
        self.setAccessibleName(title)
        self.setWidget(panel)
        self.bar = _TitleBar(self, title, about)
        self.bar.double_clicked.connect(self.enlarge_wanted)
        self.setTitleBarWidget(self.bar)
        self.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetClosable
            | QDockWidget.DockWidgetFeature.DockWidgetMovable
            | QDockWidget.DockWidgetFeature.DockWidgetFloatable
        )

    def set_value(self, text: str) -> None:
        if self.bar.value.text() != text:
            self.bar.value.setText(text)

    def set_theme(self, theme: Theme) -> None:
        self.bar.set_theme(theme)
