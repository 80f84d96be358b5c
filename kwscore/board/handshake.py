"""From an open port to a board that is ready: find its rate, judge it, load it, set it up."""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kwscore.board.connection import Connection
from kwscore.board.errors import BoardError, BoardLostError
from kwscore.board.framing import VERSION
from kwscore.board.protocol import (
    BAUD_CONFIRM,
    DEFAULT_BAUD,
    MAX_DIVISOR,
    MIN_DIVISOR,
    PROBE_BAUDS,
    STREAM_BAUDS,
    WEIGHT_BLOCK,
    Ack,
    Answer,
    Code,
    Commit,
    Error,
    Hello,
    Info,
    Level,
    LoadWeights,
    Reset,
    SetBaud,
    Sizes,
)
from kwscore.constants import HOP, N_CLASSES, N_MELS

if TYPE_CHECKING:
    from kwscore.board.client import BoardClient

_TRIES = 3
_COMMIT_WAIT = 2.0
_MAX_BAUD_ERROR = 0.015  # of a byte's ten bits a receiver tolerates about 5 %, shared by both ends
_PCM_BITS = 334_000  # bit/s of the audio on the line


@dataclass(frozen=True, slots=True)
class Weights:
    """What a board must run: the memory image, its id (never 0), and the sizes it was made for."""

    image: bytes
    model_id: int
    sizes: Sizes


def check_baud(baud: int) -> None:
    """Raises BoardError for a rate that cannot carry audio."""
    if baud not in STREAM_BAUDS:
        usable = ", ".join(f"{rate:,}" for rate in STREAM_BAUDS)
        why = f"audio takes {_PCM_BITS:,} bit/s" if baud <= _PCM_BITS else "the board's clock cannot make it exactly"
        raise BoardError(f"{baud:,} baud cannot be used ({why}): choose one of {usable}.")


def run(client: BoardClient, connection: Connection) -> Info:
    """Make the board ready. Raises BoardError with the reason."""
    info = _find(client, connection)
    _judge(client, info)
    _set_baud(client, connection, info)
    client.command(Reset(Level.STREAM), "a reset")
    if client.weights is not None and info.model_id != client.weights.model_id:
        info = _load(client, client.weights, info.weight_bytes)
    elif client.weights is None and not info.model_id and not client.bare:
        raise BoardError(f"The board at {client.port} has no weights: load a network with `kwscope board load`.")
    client.command(client.mode, "the telemetry asked for")
    return info


def _find(client: BoardClient, connection: Connection) -> Info:
    """HELLO at each rate that a board may be at."""
    for baud in dict.fromkeys((DEFAULT_BAUD, client.baud, *PROBE_BAUDS)):
        if not connection.set_baud(baud):
            raise BoardLostError(connection.failed)
        answer = client.request(Hello(), tries=2)
        if isinstance(answer, Info):
            return answer
        if isinstance(answer, Error) and answer.code == Code.BAD_VERSION:
            return Info(protocol=answer.detail)
    if connection.failed:
        raise BoardLostError(connection.failed)
    if connection.received:
        raise BoardError(
            f"What answers at {client.port} is no KWScope board ({connection.received} bytes of something else): "
            "pick the board's port."
        )
    raise BoardError(
        f"Nothing answers at {client.port}: check that the board is powered, its bitstream loaded and the port right."
    )


def _judge(client: BoardClient, info: Info) -> None:
    if info.protocol != VERSION:
        older = "the board's bitstream" if info.protocol < VERSION else "KWScope"
        raise BoardError(
            f"The board at {client.port} speaks protocol version {info.protocol}, this program {VERSION}: "
            f"update {older}."
        )
    sizes = info.sizes
    if (info.hop, sizes.n_mels, sizes.classes) != (HOP, N_MELS, N_CLASSES) or info.credit < 1:
        raise BoardError(
            f"The board at {client.port} was built for {sizes.classes} classes, {sizes.n_mels} bands and hops of "
            f"{info.hop}, not for {N_CLASSES}, {N_MELS} and {HOP}: load the bitstream of this version."
        )
    if client.weights is not None and client.weights.sizes != sizes:
        mine = client.weights.sizes
        raise BoardError(
            f"The board at {client.port} was built for another network ({sizes.blocks} blocks, {sizes.channels} "
            f"channels, {sizes.experts} experts, not {mine.blocks}, {mine.channels}, {mine.experts}): "
            "pick the network it was built for, or load another bitstream."
        )


def _set_baud(client: BoardClient, connection: Connection, info: Info) -> None:
    """Go to the rate asked for; when that fails stay at the default, which carries audio too."""
    divisor = max(1, round(info.clock_hz / client.baud))
    rate = info.clock_hz / divisor
    if not MIN_DIVISOR <= divisor <= MAX_DIVISOR or abs(rate / client.baud - 1) > _MAX_BAUD_ERROR:
        raise BoardError(
            f"The board at {client.port} cannot make {client.baud:,} baud from {info.clock_hz:,} Hz: "
            f"use {DEFAULT_BAUD:,}."
        )
    if connection.baud == client.baud:
        return
    if isinstance(client.request(SetBaud(divisor), tries=_TRIES), Ack):
        connection.set_baud(client.baud)
        if isinstance(client.request(Hello(), timeout=BAUD_CONFIRM / 3, tries=2), Info):
            return
    connection.set_baud(DEFAULT_BAUD)
    client.pause(BAUD_CONFIRM)
    if not isinstance(client.request(Hello(), tries=_TRIES), Info):
        raise BoardLostError(f"The board at {client.port} was lost while changing to {client.baud:,} baud.")


def _load(client: BoardClient, weights: Weights, capacity: int) -> Info:
    """LOAD_WEIGHTS and COMMIT, each block until it is acknowledged."""
    if len(weights.image) > capacity:
        raise BoardError(
            f"The image has {len(weights.image)} bytes, the board at {client.port} room for {capacity}: "
            "use the network that its bitstream was built for."
        )
    commit = Commit(len(weights.image), binascii.crc32(weights.image), weights.model_id)
    answer: Answer | None = None
    for _ in range(2):  # a second time when the board's copy turns out to be damaged
        for offset in range(0, len(weights.image), WEIGHT_BLOCK):
            block = LoadWeights(offset, weights.image[offset : offset + WEIGHT_BLOCK])
            client.command(block, "weights")
            if client.progress is not None:
                share = 100 * min(offset + WEIGHT_BLOCK, len(weights.image)) // len(weights.image)
                client.progress(f"Loading the weights: {share}% of {len(weights.image):,} bytes")
        answer = client.request(commit, timeout=_COMMIT_WAIT, tries=_TRIES)
        if isinstance(answer, Ack):
            break
        if not (isinstance(answer, Error) and answer.code == Code.BAD_CRC):
            break
    if isinstance(answer, Error):
        why = {
            Code.BAD_CRC: "the weights arrive damaged: check the cable",
            Code.WRONG_MODEL: "the image is of another network: pick the one its bitstream was built for",
        }.get(Code(answer.code) if answer.code in list(Code) else Code.UNSUPPORTED, f"error {answer.code}")
        raise BoardError(f"The board at {client.port} refuses the weights; {why}.")
    info = client.request(Hello(), tries=_TRIES)
    if not isinstance(info, Info) or info.model_id != weights.model_id:
        raise BoardLostError(f"The board at {client.port} did not keep the weights: check its cable and power.")
    return info
