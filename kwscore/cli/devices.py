"""``kwscope devices``: what can be listened to."""

from __future__ import annotations

import typer

from kwscore.cli.common import JsonOption, emit, note


def devices(as_json: JsonOption = False) -> None:
    """List the input devices.

    The default comes first, marked with *. The names are what `--device` takes; any part that fits one device is
    enough. Exit status 1 when there is none.
    """
    from kwscore.audio.devices import list_devices

    found = list_devices()
    for device in found:
        if as_json:
            emit(
                {
                    "id": device.id,
                    "host_api": device.host_api,
                    "name": device.name,
                    "channels": device.channels,
                    "rate": device.rate,
                    "default": device.default,
                }
            )
        else:
            mark = "*" if device.default else " "
            print(f"{mark} {device.id}  ({device.channels} channels, {device.rate} Hz)")
    if not found:
        note("There is no input device: connect a microphone, or use the source demo or a file.")
        raise typer.Exit(1)
