"""Pictures of single panels: saved as PNG or SVG, or copied, from a menu on the panel or by a key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, Signal
from PySide6.QtGui import QAction, QContextMenuEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QGraphicsView, QMenu, QWidget

from app.feature import Feature
from app.feed import COLUMNS_PER_SECOND
from app.panels.overlay import exact_clock
from kwscore import __version__
from kwscore.errors import KWScopeError
from kwscore.files import writing

if TYPE_CHECKING:
    from app.dock import Dock
    from app.panel_picture import Sheet
    from app.window import MainWindow

PNG, SVG = "PNG, at twice the size (*.png)", "SVG, lines and text (*.svg)"
FILTERS = {PNG: ".png", SVG: ".svg"}
KEY = "panel-picture"  # of its messages


class _Watch(QObject):
    """Sees which panel the mouse enters, and where a menu is asked for."""

    entered = Signal(str)  # key of the dock

    def __init__(self, pictures: PanelPictures) -> None:
        super().__init__(pictures.window)
        self.pictures = pictures

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        key = watched.property("key")
        if event.type() == QEvent.Type.Enter:
            self.entered.emit(key)
        elif event.type() == QEvent.Type.ContextMenu and isinstance(event, QContextMenuEvent):
            return self.pictures.open_menu(key, event)
        return False


class PanelPictures(Feature):
    """``latest``: the key of the panel that the mouse or the focus entered last; the commands are about it."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.latest = ""
        self.filter = PNG
        self.menu: QMenu | None = None  # the one that is open, or was last
        self._menus: dict[str, QMenu] = {}
        self._watch = _Watch(self)
        self._watch.entered.connect(self._enter)
        for key, dock in window.docks.items():
            dock.setProperty("key", key)
            dock.installEventFilter(self._watch)
            panel = dock.widget()
            for text, act in (("Save picture…", self.ask), ("Copy picture", self.copy)):
                action = QAction(text, panel)
                action.triggered.connect(lambda _checked=False, act=act, key=key: act(key))
                panel.addAction(action)  # menus of the panel's own parts list them too
            self._menus[key] = QMenu(panel)
            self._menus[key].addActions(panel.actions())
        _application().focusChanged.connect(self._focus)

    def close(self) -> None:
        _application().focusChanged.disconnect(self._focus)

    # -- which panel ------------------------------------------------------------------------------------------

    def _enter(self, key: str) -> None:
        self.latest = key
        self._extend_charts(self.window.docks[key].widget())

    def _focus(self, _old: QWidget | None, now: QWidget | None) -> None:
        if now is not None:
            self.latest = next((key for key, dock in self.window.docks.items() if dock.isAncestorOf(now)), self.latest)

    def _chosen(self) -> str:
        """The panel that a command is about; empty, and a sentence that says what to do, where there is none."""
        dock = self.window.docks.get(self.latest)
        if dock is not None and dock.isVisible() and not self.window.arrangement.is_behind(dock.bar):
            return self.latest
        self.window.notify(KEY, "Point at the panel whose picture you want, then press the key again.", "info")
        return ""

    def do_panel_picture(self) -> None:
        key = self._chosen()
        if key:
            self.ask(key)

    def do_panel_copy(self) -> None:
        key = self._chosen()
        if key:
            self.copy(key)

    # -- menus ------------------------------------------------------------------------------------------------

    def open_menu(self, key: str, event: QContextMenuEvent) -> bool:
        """Show the panel's menu, under the title with the list of panels; False where a chart has one of its own."""
        dock, panel = self.window.docks[key], self.window.docks[key].widget()
        if _chart_at(dock, event.pos()) is not None:
            self._extend_charts(panel)
            return False
        self.menu = self._menus[key]
        if dock.bar.geometry().contains(event.pos()):
            self.menu = QMenu(self.window)
            self.menu.addActions(panel.actions())
            self.menu.addSeparator()
            self.menu.addActions([each.toggleViewAction() for each in self.window.docks.values()])
            self.menu.aboutToHide.connect(self.menu.deleteLater)
        self.menu.popup(event.globalPos())
        return True

    def _extend_charts(self, panel: QWidget) -> None:
        """The charts' own menus list the pictures too; charts are made when they are first seen."""
        for view in panel.findChildren(QGraphicsView):
            for menu in _menus(view):
                new = [action for action in panel.actions() if action not in menu.actions()]
                if new:
                    menu.addSeparator()
                    menu.addActions(new)

    # -- pictures ---------------------------------------------------------------------------------------------

    def sheet(self, key: str) -> Sheet:
        """The panel as it is now."""
        from app.panel_picture import Sheet

        window, controller = self.window, self.window.controller
        moment = exact_clock(window.display.end - 1) if window.display.end else ""
        network = f", network {controller.network_name} ({controller.network_hash})" if controller.network_name else ""
        return Sheet(window.docks[key], window.theme, moment, f"KWScope {__version__}{network}.")

    def suggestion(self, key: str) -> str:
        """A name for the file: panel and moment."""
        end = self.window.display.end
        minutes, seconds = divmod(end // COLUMNS_PER_SECOND, 60)
        return f"{key}-{minutes}m{seconds:02}s{FILTERS[self.filter]}" if end else f"{key}{FILTERS[self.filter]}"

    def ask(self, key: str) -> None:
        """Ask where to, and save."""
        window, offered = self.window, self.filter
        name, chosen = QFileDialog.getSaveFileName(
            window,
            f"Save picture of {_name(window.docks[key])}",
            str(Path(window.settings.folder, self.suggestion(key))),
            ";;".join(FILTERS),
            offered,
        )
        if not name:
            return
        self.filter = chosen if chosen in FILTERS else offered
        path = _with_kind(Path(name), FILTERS[self.filter], changed=self.filter != offered)
        if path != Path(name) and path.exists():  # nobody was asked about that one
            window.notify(KEY, f"{path} exists already: choose another name.")
        elif self.save(key, path):
            window.settings.folder = str(path.parent)

    def save(self, key: str, path: Path) -> bool:
        """Write the picture of a panel, SVG where ``path`` ends so and PNG otherwise; the outcome becomes a message.
        False where it could not be written."""
        sheet = self.sheet(key)
        try:
            data = sheet.svg() if path.suffix.lower() == ".svg" else sheet.png()
            with writing(path) as part:
                part.write_bytes(data)
        except KWScopeError as error:
            self.window.notify(KEY, str(error))
            return False
        self.window.notify(KEY, f"The picture of {_name(sheet.dock)} was written to {path}.", "info")
        return True

    def copy(self, key: str) -> None:
        """Put the picture of a panel into the clipboard, for programs that take images and for those that take SVG."""
        sheet, data = self.sheet(key), QMimeData()
        data.setImageData(sheet.image())
        data.setData("image/svg+xml", sheet.svg())
        QApplication.clipboard().setMimeData(data)
        self.window.notify(KEY, f"The picture of {_name(sheet.dock)} was copied.", "info")


def _application() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app


def _name(dock: Dock) -> str:
    return dock.windowTitle()


def _with_kind(path: Path, suffix: str, changed: bool) -> Path:
    """The name with the suffix of the chosen kind. A known suffix that was typed stays, unless another kind was chosen
    in the dialog (``changed``)."""
    typed = path.suffix.lower()
    if typed not in FILTERS.values():
        return path.with_name(path.name + suffix)
    return path.with_suffix(suffix) if changed and typed != suffix else path


def _chart_at(dock: Dock, spot: QPoint) -> QGraphicsView | None:
    """The chart with a menu of its own at a place of a dock."""
    child: QWidget | None = dock.childAt(spot)
    while child is not None and child is not dock:
        if isinstance(child, QGraphicsView) and _menus(child):
            return child
        child = child.parentWidget()
    return None


def _menus(view: QGraphicsView) -> list[QMenu]:
    """Menus of a chart's parts."""
    scene = view.scene()
    found = [getattr(item, "menu", None) for item in scene.items()] if scene is not None else []
    return [menu for menu in found if isinstance(menu, QMenu)]
