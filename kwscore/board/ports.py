"""Where a board may be: virtual ones by name, and serial ports, some of which look like one."""

from __future__ import annotations

from dataclasses import dataclass

SIM, RTL = "sim", "rtl"
VIRTUAL = {
    SIM: "the integer engine behind the link; nothing to install, always in time",
    RTL: "the Verilog itself, simulated by Verilator behind the link; built at first use",
}
"""Boards that are programs, by name."""
_NOTHING = "n/a"  # what pyserial calls a description or number that a port does not have
_FTDI = (0x0403, 0x6010)


@dataclass(frozen=True, slots=True)
class Port:
    """``device`` is what to open; ``board`` is true for the UART of a Digilent Arty, Basys 3 or Cmod."""

    device: str
    description: str
    serial_number: str
    board: bool


def list_boards_and_ports() -> list[Port]:
    """All serial ports, boards first. Pseudo-terminals and sockets are never listed: they are opened by name."""
    from serial.tools import list_ports

    ports = [
        Port(info.device, _known(info.description), _known(info.serial_number), is_board(info))
        for info in list_ports.comports()
    ]
    return sorted(ports, key=lambda port: (not port.board, port.device))


def _known(text: str | None) -> str:
    return "" if text in (None, _NOTHING) else text


def board_name(given: str) -> str:
    """What somebody typed as the name of a board: virtual ones in any case, ports as they are."""
    name = given.strip()
    return name.lower() if name.lower() in VIRTUAL else name


def is_board(info: object) -> bool:
    """Whether a ``ListPortInfo`` is the second interface (the UART; the first is JTAG) of a Digilent FT2232H."""
    ids = getattr(info, "vid", None), getattr(info, "pid", None)
    if ids != _FTDI:
        return False
    maker = f"{getattr(info, 'manufacturer', '') or ''} {getattr(info, 'description', '') or ''}"
    location = getattr(info, "location", None) or ""
    if location:
        return location.endswith((":1.1", ":x.1")) and "digilent" in maker.lower()
    # Windows tells no location; there the serial number ends with the interface's letter.
    return (getattr(info, "serial_number", None) or "").endswith("B")


def find_port(serial_number: str) -> str | None:
    """Where the board with this serial number is plugged in now; None while it is not."""
    return next((p.device for p in list_boards_and_ports() if p.board and p.serial_number == serial_number), None)


def serial_number_of(device: str) -> str:
    """The serial number of the board at this port; empty for anything that is not such a board."""
    return next((p.serial_number for p in list_boards_and_ports() if p.board and p.device == device), "")
