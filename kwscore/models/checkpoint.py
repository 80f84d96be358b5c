"""Checkpoints: weights as ``NAME.safetensors`` with a card ``NAME.json`` beside them. Reading imports no torch.

The file's own header repeats the configuration and the hash of the weights, so that a file that travelled without
its card is still read strictly.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

import kwscore
from kwscore.errors import KWScopeError
from kwscore.models.config import ALIASES, CnnConfig, NetworkConfig, config_from_dict

if TYPE_CHECKING:
    from kwscore.models.cnn import CnnBaseline
    from kwscore.models.network import NanoMamba

    Net = TypeVar("Net", NanoMamba, CnnBaseline)

Arrays = dict[str, NDArray[np.float32]]

FORMAT = 1
SUFFIX = ".safetensors"
FOLDER = "checkpoints_full"
_HASH_DIGITS = 12


def model_hash(arrays: Mapping[str, NDArray[Any]]) -> str:
    """First 12 hex digits of the SHA-256 over names, shapes and little-endian float32 bytes, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name], dtype="<f4").reshape(np.shape(arrays[name]))
        digest.update(f"{name}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:_HASH_DIGITS]


def checkpoint_folders() -> list[Path]:
    """Where shipped networks are looked for, in this order: inside the installed package, then beside it (checkout)."""
    package = Path(kwscore.__file__).parent
    return [package / FOLDER, package.parent / FOLDER]


def shipped_checkpoints() -> dict[str, Path]:
    """The networks that come with KWScope, by name."""
    found: dict[str, Path] = {}
    for folder in checkpoint_folders():
        for path in sorted(folder.glob("*" + SUFFIX)):
            found.setdefault(path.stem, path)
    return found


def find_checkpoint(name_or_path: str | Path) -> Path:
    """The file of a shipped network (also by its other published names), or the path itself.

    Raises KWScopeError where there is none.
    """
    path = Path(name_or_path)
    if not str(name_or_path).strip():
        raise KWScopeError("The name of the network is empty: give a name, or the path of a checkpoint.")
    if path.suffix in (".pt", ".pth"):
        raise KWScopeError(f"{path} is a published torch file: open it with kwscore.load_published(path, name).")
    if path.suffix == SUFFIX or len(path.parts) > 1:
        if not path.is_file():
            raise KWScopeError(f"There is no checkpoint {path}: give the path of a {SUFFIX} file.")
        return path
    if path.exists() and ALIASES.get(str(name_or_path), str(name_or_path)) not in shipped_checkpoints():
        what = "a folder" if path.is_dir() else f"not a {SUFFIX} file"
        raise KWScopeError(f"{path} is {what}: give the name of a network, or the path of a checkpoint.")
    shipped = shipped_checkpoints()
    name = ALIASES.get(str(name_or_path), str(name_or_path))
    if name in shipped:
        return shipped[name]
    names = ", ".join(shipped) or "none"
    raise KWScopeError(
        f"No network named {name_or_path} comes with KWScope (there are: {names}); give a name or a path."
    )


def save_checkpoint(net: NanoMamba | CnnBaseline, path: str | Path, card: Mapping[str, Any]) -> Path:
    """Write the weights of ``net`` and its card (recipe, data, seed, figures ...) beside each other.

    ``card`` must be plain JSON values; network, schedule, parameters, configuration, hash and SHA-256 of the file are
    added. Both files are written beside and renamed. Returns the path of the weights. Raises KWScopeError for
    weights that are not finite or a place that cannot be written.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise KWScopeError(f"A checkpoint's name must end in {SUFFIX}: {path}")
    arrays = {
        name: np.array(tensor.detach().cpu().numpy(), dtype=np.float32) for name, tensor in net.state_dict().items()
    }
    _check_finite(arrays, str(path))
    digest = model_hash(arrays)
    config = json.dumps(net.config.to_dict())
    full = {
        **card,
        "format": FORMAT,
        "network": net.config.name,
        "schedule": net.config.schedule,
        "parameters": net.parameter_count(),
        "config": json.loads(config),
        "model_hash": digest,
    }
    card_path = path.with_suffix(".json")
    parts = [Path(f"{target}.part") for target in (path, card_path)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = save(arrays, {"format": str(FORMAT), "config": config, "model_hash": digest})
        full["sha256"] = hashlib.sha256(content).hexdigest()
        parts[0].write_bytes(content)
        parts[1].write_text(json.dumps(full, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(parts[0], path)
        os.replace(parts[1], card_path)
    except (OSError, SafetensorError) as error:
        raise KWScopeError(f"The checkpoint {path} cannot be written: {error}") from error
    except (TypeError, ValueError) as error:
        raise KWScopeError(f"The card of {path} holds something that is not plain JSON: {error}") from error
    finally:
        for part in parts:
            with suppress(OSError):
                part.unlink()
    return path


def load_arrays(name_or_path: str | Path) -> tuple[NetworkConfig, Arrays, dict[str, Any]]:
    """Configuration, arrays by tensor name, and card of a NanoMamba checkpoint, without importing torch.

    Strict: raises KWScopeError for a file that is missing, truncated, of another network than its name or card says,
    changed since its card was written, or holding NaN or infinity.
    """
    config, arrays, card = read_checkpoint(name_or_path)
    if not isinstance(config, NetworkConfig):
        raise KWScopeError(f"{name_or_path} is the convolutional baseline {config.name}, not a NanoMamba network.")
    return config, arrays, card


def load_model(name_or_path: str | Path) -> NanoMamba:
    """A shipped network by name, or one from a path, in evaluation mode; ``net.card`` is its card.

    Raises KWScopeError as ``load_arrays`` does, and for tensors that are not those of the network.
    """
    from kwscore.models.network import NanoMamba

    config, arrays, card = load_arrays(name_or_path)
    return _filled(NanoMamba(config), arrays, card, name_or_path)


def load_baseline(path: str | Path) -> CnnBaseline:
    """A convolutional baseline that ``save_checkpoint`` wrote, in evaluation mode; strict as ``load_model``."""
    from kwscore.models.cnn import make_cnn

    config, arrays, card = read_checkpoint(path)
    if not isinstance(config, CnnConfig):
        raise KWScopeError(f"{path} is the NanoMamba network {config.name}: open it with load_model.")
    return _filled(make_cnn(config), arrays, card, path)


def read_config(name_or_path: str | Path) -> NetworkConfig | CnnConfig:
    """What network a checkpoint says it holds, so that ``load_arrays`` or ``load_baseline`` can be chosen."""
    path = find_checkpoint(name_or_path)
    return _config(_read(path)[0], path)


def _filled(net: Net, arrays: Arrays, card: dict[str, Any], where: str | Path) -> Net:
    import torch

    load_strictly(net, {name: torch.from_numpy(array) for name, array in arrays.items()}, str(where))
    net.card = card
    return net.eval()


def read_checkpoint(name_or_path: str | Path) -> tuple[NetworkConfig | CnnConfig, Arrays, dict[str, Any]]:
    """Configuration, arrays and card of a checkpoint of either kind of network; otherwise as ``load_arrays``."""
    path = find_checkpoint(name_or_path)
    header, arrays = _read(path)
    config = _config(header, path)
    _check_finite(arrays, str(path))
    digest = model_hash(arrays)
    if digest != header["model_hash"]:
        raise KWScopeError(f"{path} is damaged: its weights hash to {digest}, its header says {header['model_hash']}.")
    if path.parent in checkpoint_folders() and config.name != path.stem:
        raise KWScopeError(f"{path} holds the network {config.name}, not {path.stem}: put the right file there.")
    card = _read_card(path)
    whole = hashlib.sha256(path.read_bytes()).hexdigest()
    for field, value in (("network", config.name), ("model_hash", digest), ("sha256", whole)):
        if card.get(field, value) != value:
            raise KWScopeError(
                f"{path} does not belong to the card beside it: {field} is {value}, the card says {card[field]}."
            )
    card.setdefault("network", config.name)
    card.setdefault("model_hash", digest)
    return config, arrays, card


def _config(header: Mapping[str, str], path: Path) -> NetworkConfig | CnnConfig:
    if "config" not in header or "model_hash" not in header:
        raise KWScopeError(f"{path} is no KWScope checkpoint: its header has no network description.")
    try:
        return config_from_dict(json.loads(header["config"]))
    except (json.JSONDecodeError, TypeError) as error:
        raise KWScopeError(f"{path} has a damaged header: get it again, or give another checkpoint.") from error


def load_strictly(net: Any, state: Mapping[str, Any], where: str) -> None:
    """Load tensors into a torch network; one sentence (KWScopeError) says what is missing, unknown or misshapen."""
    wanted = net.state_dict()
    problems = []
    for what, names in (("lacks", set(wanted) - set(state)), ("has the unknown", set(state) - set(wanted))):
        if names:
            problems.append(f"{what} {_some(sorted(names))}")
    problems += [
        f"has {name} of shape {tuple(state[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in sorted(set(wanted) & set(state))
        if state[name].shape != wanted[name].shape
    ][:3]
    if problems:
        raise KWScopeError(f"{where} is not a file of {net.config.name}: it {', '.join(problems)}.")
    net.load_state_dict(dict(state), strict=True)


def _some(names: list[str], limit: int = 6) -> str:
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest


def _check_finite(arrays: Mapping[str, NDArray[Any]], where: str) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise KWScopeError(f"The weights {where} are damaged: {name} holds NaN or infinity.")


def _read(path: Path) -> tuple[dict[str, str], Arrays]:
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        why = error.strerror or "input/output error"
        raise KWScopeError(f"{path} cannot be read ({why}): check the disk, and who may read the file.") from error
    except (SafetensorError, ValueError) as error:
        raise KWScopeError(
            f"{path} cannot be read as a checkpoint (truncated or another kind of file): get it again, or give another."
        ) from error
    wrong = [name for name, array in arrays.items() if array.dtype != np.float32]
    if wrong:
        raise KWScopeError(f"{path} holds {wrong[0]} as {arrays[wrong[0]].dtype}; checkpoints are float32.")
    return header, arrays


def _read_card(path: Path) -> dict[str, Any]:
    card_path = path.with_suffix(".json")
    if not card_path.exists():
        return {}
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KWScopeError(f"The card {card_path} cannot be read: {error}.") from error
    if not isinstance(card, dict):
        raise KWScopeError(f"The card {card_path} is not a JSON object.")
    return card
