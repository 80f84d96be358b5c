"""Colours and type of the window: a light and a dark theme, one accent, tabular figures everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

FONTS = Path(__file__).parent / "fonts"
CHOICES = ("auto", "light", "dark", "contrast")

# Ten words, silence, unknown. Hues after P. Tol's colour-blind-safe "muted" set; each line is also labelled directly.
_LIGHT_SERIES = (
    "#4477AA", "#CC6677", "#117733", "#AA4499", "#B8860B", "#332288", "#44AA99", "#882255", "#999933", "#2E86C1",
    "#8A929C", "#5C6570",
)  # fmt: skip
_DARK_SERIES = (
    "#6FA8DC", "#F08A9B", "#5CC97E", "#D98BD0", "#E6C35C", "#9B8CF2", "#5CCFBE", "#E0709F", "#C6C75B", "#8CCBF0",
    "#7F8995", "#B4BDC8",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Theme:
    """Named colours; every widget takes its colours from here and nowhere else."""

    name: str
    window: str
    surface: str
    raised: str
    plot: str
    text: str
    muted: str
    line: str
    grid: str
    accent: str
    on_accent: str
    good: str
    warn: str
    bad: str
    wave: str
    truth: str
    series: tuple[str, ...]
    """12 class colours in the order of ``kwscore.LABELS``."""
    experts: tuple[str, ...]
    blocks: tuple[str, ...]

    @property
    def dark(self) -> bool:
        return QColor(self.window).lightness() < 128

    def colour(self, field: str, alpha: float = 1.0) -> QColor:
        """The named colour with an opacity of 0..1."""
        colour = QColor(getattr(self, field))
        colour.setAlphaF(alpha)
        return colour


LIGHT = Theme(
    name="light",
    window="#ECEFF2",
    surface="#FFFFFF",
    raised="#F4F6F8",
    plot="#FBFCFD",
    text="#171C22",
    muted="#5A6472",
    line="#D3D9DF",
    grid="#E6EAEE",
    accent="#C2410C",
    on_accent="#FFFFFF",
    good="#1B7F4B",
    warn="#8F5B00",
    bad="#B42318",
    wave="#3A6EA5",
    truth="#5A6472",
    series=_LIGHT_SERIES,
    experts=("#33658A", "#D9A441", "#7A9E7E"),
    blocks=("#2F6690", "#A23B72", "#5B7F1F"),
)

DARK = Theme(
    name="dark",
    window="#0F1114",
    surface="#1C2025",
    raised="#262B32",
    plot="#14171B",
    text="#E8ECF0",
    muted="#99A4B0",
    line="#363D46",
    grid="#252B32",
    accent="#FF8B4A",
    on_accent="#1B1108",
    good="#5FCB8F",
    warn="#F0B84D",
    bad="#FF7B72",
    wave="#7FB2E5",
    truth="#AEB8C3",
    series=_DARK_SERIES,
    experts=("#5B9BC8", "#E3B660", "#8FBF94"),
    blocks=("#6FB1DE", "#E283B8", "#A9CF5E"),
)


CONTRAST = Theme(
    name="contrast",
    window="#000000",
    surface="#000000",
    raised="#16191D",
    plot="#000000",
    text="#FFFFFF",
    muted="#D3DAE2",
    line="#8B96A3",
    grid="#30363D",
    accent="#FFC400",
    on_accent="#000000",
    good="#6BE89A",
    warn="#FFD166",
    bad="#FF9C94",
    wave="#9CCBFF",
    truth="#D3DAE2",
    series=(
        "#8CC4FF", "#FFA3B1", "#74E692", "#F0AEE8", "#FFDC7A", "#BDB2FF", "#79E8D8", "#FF9CC4", "#E2E37A", "#A8DFFF",
        "#B6BFC9", "#E3E8ED",
    ),
    experts=("#7CBDF0", "#FFD166", "#A6DDAE"),
    blocks=("#8CCBFF", "#FF9FD6", "#C4EC76"),
)  # fmt: skip
"""Every text at 7:1 or more against what it stands on (WCAG AAA); lines of controls at 3:1."""


def resolve(choice: str) -> Theme:
    """The theme for ``auto`` (as the desktop is), ``light``, ``dark`` or ``contrast``."""
    if choice == "auto":
        dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return DARK if dark else LIGHT
    return {"dark": DARK, "contrast": CONTRAST}.get(choice, LIGHT)


_text_scale = 1.0


def set_text_scale(percent: int) -> bool:
    """Scale all text made by ``font`` from now on; return whether that is new: then apply the theme anew, as widgets
    keep their fonts."""
    global _text_scale
    before, _text_scale = _text_scale, percent / 100
    return before != _text_scale


def scaled(pixels: float, share: float = 1.0) -> int:
    """A length that grows with the text: heights of rows, widths of columns of figures. ``share``: how much of the
    text's growth it takes part in."""
    return round(pixels * (1 + share * (_text_scale - 1)))


def load_fonts() -> str:
    """Register the fonts that come with the application; return the family to use (the system's own without them)."""
    families = [
        QFontDatabase.applicationFontFamilies(number)
        for path in sorted(FONTS.glob("*.otf"))
        if (number := QFontDatabase.addApplicationFont(str(path))) >= 0
    ]
    names = {name for family in families for name in family}
    return "Inter" if "Inter" in names else QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont).family()


def font(
    pixels: float, weight: QFont.Weight = QFont.Weight.Normal, family: str | None = None, *, fixed: bool = False
) -> QFont:
    """The application's font at a size in device-independent pixels at 100 % text size, with tabular figures.

    Text that was fitted into its place is ``fixed``: it has that size whatever the text size is."""
    made = QFont(QApplication.font())
    if family is not None:
        made.setFamilies([family, *made.families()])
    made.setPixelSize(max(1, round(pixels if fixed else pixels * _text_scale)))
    made.setWeight(weight)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


def apply(app: QApplication, theme: Theme) -> None:
    """Give the whole application the theme's palette and style sheet (Fusion underneath)."""
    app.setFont(font(13))
    app.setPalette(_palette(theme))
    app.setStyleSheet(_style_sheet(theme))


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for key, value in {
        role.Window: theme.surface, role.WindowText: theme.text, role.Base: theme.surface,
        role.AlternateBase: theme.raised, role.Text: theme.text, role.Button: theme.raised, role.ButtonText: theme.text,
        role.ToolTipBase: theme.raised, role.ToolTipText: theme.text, role.PlaceholderText: theme.muted,
        role.Highlight: theme.accent, role.HighlightedText: theme.on_accent, role.Accent: theme.accent,
        role.Link: theme.accent, role.BrightText: theme.bad, role.Light: theme.raised, role.Midlight: theme.raised,
        role.Mid: theme.line, role.Dark: theme.line, role.Shadow: theme.window,
    }.items():  # fmt: skip
        palette.setColor(key, QColor(value))
    for key in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, key, theme.colour("muted", 0.55))
    return palette


def _style_sheet(theme: Theme) -> str:
    t = theme
    return f"""
    QMainWindow, QMainWindow::separator {{ background: {t.window}; }}
    QMainWindow::separator {{ width: 6px; height: 4px; }}
    QMainWindow::separator:hover {{ background: {t.accent}; }}
    QToolBar {{ background: {t.surface}; border: none; border-bottom: 1px solid {t.line}; padding: 5px 8px;
                spacing: 4px; }}
    QToolBar::separator {{ background: {t.line}; width: 1px; margin: 5px 6px; }}
    QToolButton {{ border: 1px solid transparent; border-radius: 6px; padding: 5px 9px; color: {t.text}; }}
    QToolButton:hover {{ background: {t.raised}; border-color: {t.line}; }}
    QToolButton:pressed, QToolButton:checked {{ background: {t.raised}; border-color: {t.accent}; }}
    QToolButton:focus {{ border-color: {t.accent}; }}
    QToolButton:disabled {{ color: {t.muted}; }}
    QToolButton#primary {{ background: {t.accent}; color: {t.on_accent}; font-weight: 600; padding: 5px 14px; }}
    QToolButton#primary:hover, QToolButton#primary:focus {{ border-color: {t.text}; }}
    QToolButton#choice {{ background: {t.raised}; border-color: {t.line}; padding-right: 20px; }}
    QToolButton#choice:hover, QToolButton#choice:focus {{ border-color: {t.accent}; }}
    QToolButton::menu-indicator {{ subcontrol-position: right center; right: 6px; width: 9px; }}
    QToolButton#plain::menu-indicator {{ image: none; width: 0; }}
    QPushButton {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; border-radius: 6px;
                   padding: 5px 14px; }}
    QPushButton:hover, QPushButton:focus {{ border-color: {t.accent}; }}
    QPushButton:pressed {{ background: {t.surface}; }}
    QPushButton:default {{ background: {t.accent}; color: {t.on_accent}; border-color: {t.accent}; }}
    QPushButton:default:focus {{ border-color: {t.text}; }}
    QPushButton:disabled {{ color: {t.muted}; }}
    QToolButton#offer {{ border-color: {t.accent}; padding: 2px 10px; }}
    QToolButton#title {{ padding: 1px; border-radius: 4px; }}
    QDockWidget {{ border: none; }}
    QStatusBar {{ background: {t.surface}; border-top: 1px solid {t.line}; }}
    QStatusBar::item {{ border: none; }}
    QMenu {{ background: {t.surface}; border: 1px solid {t.line}; padding: 5px; }}
    QMenu::item {{ padding: 5px 26px 5px 26px; border-radius: 4px; }}
    QMenu::item:selected {{ background: {t.accent}; color: {t.on_accent}; }}
    QMenu::item:disabled {{ color: {t.muted}; background: transparent; }}
    QMenu::separator {{ height: 1px; background: {t.line}; margin: 5px 8px; }}
    QMenu::indicator {{ width: 14px; height: 14px; left: 6px; }}
    QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; padding: 5px; }}
    QTableView {{ background: {t.surface}; border: none; gridline-color: transparent;
                  selection-background-color: {t.accent}; selection-color: {t.on_accent}; outline: none; }}
    QTableView::item {{ padding: 0 8px; }}
    QHeaderView::section {{ background: {t.surface}; color: {t.muted}; border: none; border-bottom: 1px solid {t.line};
                            padding: 3px 11px; }}
    QTabBar::tab {{ background: {t.window}; color: {t.muted}; padding: 5px 12px; border: none; }}
    QTabBar::tab:selected {{ background: {t.surface}; color: {t.text}; border-top: 2px solid {t.accent}; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
    QScrollBar::handle:vertical {{ background: {t.line}; border-radius: 4px; min-height: 24px; margin: 1px; }}
    QScrollBar::handle:vertical:hover {{ background: {t.muted}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; width: 0; border: none; background: none; }}
    QScrollBar::up-arrow, QScrollBar::down-arrow {{ height: 0; width: 0; image: none; background: none; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    """
