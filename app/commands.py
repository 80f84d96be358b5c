"""Every command of the window in one list: its keys, its words, its place in the help.

The window makes one ``QAction`` of each; tooltips and the shortcut overlay are made from the same list.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """``keys`` as Qt spells them, the first one is shown. ``direct`` keys belong to the window only while no table,
    slider or button wants them (arrows, space), so they are handled as key presses and not as shortcuts.

    ``menu``: view, layout or help, where it is listed. ``dock``: key of the panel that it shows and hides; every other
    command is carried out by the method ``do_NAME`` of the window or of one of its features.
    """

    name: str
    text: str
    keys: tuple[str, ...]
    group: str
    tip: str = ""
    checkable: bool = False
    direct: bool = False
    menu: str = ""
    dock: str = ""


COMMANDS = (
    Command("run", "Start / stop", ("Space",), "Listening", "Start or stop listening", direct=True),
    Command("reset", "Reset", ("R",), "Listening", "Forget what was heard: network, plots and clock start anew"),
    Command("demo", "Demo playlist", ("Ctrl+D",), "Listening", "Play the demo: all ten words, clean and in noise"),
    Command("microphone", "Default microphone", ("Ctrl+M",), "Listening", "Listen to the system's default microphone"),
    Command("open", "Open sound or session…", ("Ctrl+O",), "Listening", "Play a WAV, FLAC, OGG, MP3 or session file"),
    Command("record", "Record", ("Ctrl+R",), "Listening", "Record all that is heard and computed", checkable=True),
    Command(
        "watch",
        "False-accept run",
        ("Ctrl+Shift+R",),
        "Listening",
        "Listen for hours, keep only the seconds around words, count false accepts",
        checkable=True,
        menu="view",
    ),
    Command("pin", "Pin this moment", ("P",), "Listening", "Mark this moment; a recording keeps it"),
    Command("note", "Write a note…", ("Shift+P",), "Listening", "Mark this moment and write something"),
    Command("rescan", "Look for devices again", ("F5",), "Listening", "Ask the sound system for its devices anew"),
    Command("open_network", "Open network file…", ("Ctrl+Shift+O",), "Listening", "Run a checkpoint of your own"),
    Command("engine", "Next engine", ("E",), "Listening", "Compute in floating point, in integers, or on the board"),
    Command("compare", "Compare with a second engine", ("Shift+E",), "Listening", "Two engines on the same samples"),
    Command("board", "Board…", ("B",), "Listening", "Ports, connection, selftest and statistics of the FPGA board"),
    Command("noise", "Noise on / off", ("N",), "Noise", "Mix the chosen noise in, or no longer"),
    Command("noise_louder", "Noise louder by 1 dB", ("[", "Alt+Down"), "Noise", "One dB less SNR"),
    Command("noise_quieter", "Noise quieter by 1 dB", ("]", "Alt+Up"), "Noise", "One dB more SNR"),
    Command("noise_panel", "Noise", ("Shift+N",), "Noise", "Kind, SNR, seed and levels of the noise", dock="noise"),
    Command("calibrate", "Calibrate on silence…", ("K",), "Noise", "Keep quiet: the noise is measured", menu="view"),
    Command("calibrate_undo", "Undo calibration", ("Shift+K",), "Noise", "The constants from before the last change"),
    Command(
        "monitor",
        "Hear it on the loudspeakers",
        ("M",),
        "Noise",
        "What the networks hear, noise included (with a microphone use headphones)",
        checkable=True,
    ),
    Command("freeze", "Freeze display", ("F",), "Looking", "Hold the display; listening goes on", checkable=True),
    Command("back", "Back ½ s", ("Left",), "Looking", "Half a second into the past", direct=True),
    Command("forward", "Forward ½ s", ("Right",), "Looking", "Half a second towards now", direct=True),
    Command("page_back", "Back one screen", ("PgUp", "Shift+Left"), "Looking", direct=True),
    Command("page_forward", "Forward one screen", ("PgDown", "Shift+Right"), "Looking", direct=True),
    Command("oldest", "Oldest moment", ("Home",), "Looking", direct=True),
    Command("live", "Back to live", ("End",), "Looking", "Show what is heard now", direct=True),
    Command("cursor", "Read values at the cursor", ("C",), "Looking", "Then the arrow keys move it by 10 ms, by band"),
    Command("band_up", "Cursor one band up", ("Up",), "Looking", direct=True),
    Command("band_down", "Cursor one band down", ("Down",), "Looking", direct=True),
    Command("clean", "Compare with the word in clean", ("W",), "Looking", "The moment beside the word without noise"),
    Command("captions", "Captions", ("I",), "Looking", "What to look for right now", checkable=True, menu="view"),
    Command("zoom_in", "Stretch time", ("Ctrl++", "Ctrl+=", "+"), "Looking", "Fewer seconds, wider", menu="view"),
    Command("zoom_out", "Compress time", ("Ctrl+-", "-"), "Looking", "More seconds, narrower", menu="view"),
    Command(
        "detection", "Detection settings", ("D",), "Panels", "Thresholds and timing of detections", dock="detection"
    ),
    Command("enlarge", "Enlarge the next panel", ("F6",), "Panels", "Esc puts the others back", menu="layout"),
    Command("notes", "Notes", ("Ctrl+Shift+P",), "Panels", "Pins and remarks", dock="notes"),
    Command("timing", "Timing", ("H",), "Panels", "How long the network needs for each hop", dock="timing"),
    Command("experiment", "Noise experiment…", ("X",), "Window", "Accuracy against SNR, by itself", menu="view"),
    Command("export", "Export detections as CSV…", ("Ctrl+E",), "Window", menu="view"),
    Command("picture", "Save picture of the window…", ("Ctrl+P",), "Window", menu="view"),
    Command(
        "panel_picture",
        "Save picture of the panel…",
        ("Ctrl+Shift+S",),
        "Window",
        "As PNG or SVG: the panel that was pointed at last",
        menu="view",
    ),
    Command("panel_copy", "Copy picture of the panel", ("Ctrl+Shift+C",), "Window", "Into the clipboard", menu="view"),
    Command("layout", "Standard layout", ("Ctrl+L",), "Layout", "All panels back in their places", menu="layout"),
    Command("booth", "Booth layout", ("F2",), "Layout", "Few and large, to be read from afar", menu="layout"),
    Command("researcher", "Researcher layout", ("F3",), "Layout", "Every panel there is", menu="layout"),
    Command("fpga", "FPGA layout", ("F4",), "Layout", "Board and software side by side", menu="layout"),
    Command("full_screen", "Full screen", ("F11",), "Layout", checkable=True, menu="layout"),
    Command("theme", "Light / dark", ("T",), "Window", "Switch between light and dark", menu="view"),
    Command("settings", "Settings…", ("Ctrl+,",), "Window", "Text size, colours and all else", menu="view"),
    Command("dismiss", "Dismiss, end enlargement", ("Escape",), "Window", direct=True),
    Command("help", "Keyboard shortcuts", ("F1", "?"), "Window", "Show all keys", menu="help"),
    Command("tour", "Tour of the window", ("Shift+F1",), "Window", "What there is to see, in five steps", menu="help"),
    Command("about", "About KWScope", (), "Window", "Versions and licences", menu="help"),
    Command("quit", "Quit", ("Ctrl+Q",), "Window", menu="view"),
)
"""Besides these, Ctrl+1 to Ctrl+9 show and hide the panels."""

BY_NAME = {command.name: command for command in COMMANDS}
PANEL_KEYS = "Ctrl+1 … Ctrl+9"


def shown_keys(command: Command) -> str:
    """The keys as a person reads them."""
    names = {
        "Left": "←", "Right": "→", "Up": "↑", "Down": "↓", "PgUp": "Page Up", "PgDown": "Page Down", "Escape": "Esc",
        "Ctrl++": "Ctrl +", "Ctrl+-": "Ctrl −",
    }  # fmt: skip
    if not command.keys:
        return ""
    first = command.keys[0]
    return names.get(first, first.replace("+", " + ") if len(first) > 1 else first)


def tooltip(name: str) -> str:
    command = BY_NAME[name]
    keys = shown_keys(command)
    return (command.tip or command.text) + (f" ({keys})" if keys else "")


def in_menu(menu: str) -> tuple[str, ...]:
    """Names of the commands that a menu lists, in order."""
    return tuple(command.name for command in COMMANDS if command.menu == menu)
