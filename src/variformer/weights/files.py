"""Files of tensors: safetensors, whole or in shards, out and in; pickled `.bin` files in, where there are no others."""

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..hub import read_json

WHOLE = "model.safetensors"
PICKLED = "pytorch_model.bin"
SHARD_BYTES = 5_000_000_000


def write_tensors(tensors: Mapping[str, Tensor], folder: str | Path, max_shard_bytes: int = SHARD_BYTES) -> list[Path]:
    """Write model.safetensors, or shards of at most so many bytes and their index; returns the files.

    A tensor is never split: one that is larger has a shard of its own. Weights of an earlier export are removed.
    """
    from huggingface_hub import split_torch_state_dict_into_shards

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    remove_weights(folder)
    plan = split_torch_state_dict_into_shards(dict(tensors), max_shard_size=max_shard_bytes)
    for name, content in plan.filename_to_tensors.items():
        save_file({each: tensors[each].contiguous() for each in content}, folder / name, {"format": "pt"})
    files = [folder / name for name in plan.filename_to_tensors]
    if plan.is_sharded:
        files.append(folder / f"{WHOLE}.index.json")
        index = {"metadata": plan.metadata, "weight_map": plan.tensor_to_filename}
        files[-1].write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return files


def remove_weights(folder: Path) -> None:
    """What `write_tensors` wrote there before."""
    for old in [folder / WHOLE, folder / f"{WHOLE}.index.json", *folder.glob("model-*-of-*.safetensors")]:
        old.unlink(missing_ok=True)


def read_tensors(folder: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint folder: of model.safetensors, its shards, or else of pytorch_model.bin or its shards.

    Raises FileNotFoundError if a file is missing. Raises ValueError if a file is damaged, if the shards do not hold
    what their index says, or if a pickled file holds anything but tensors, which could run code.
    """
    folder = Path(folder)
    readers: dict[str, Callable[[Path], dict[str, Tensor]]] = {WHOLE: unpack, PICKLED: unpickle}
    for name, read in readers.items():
        if (folder / name).is_file():
            return read(folder / name)
        if (folder / f"{name}.index.json").is_file():
            return read_shards(folder / f"{name}.index.json", read)
    files = [each for name in readers for each in (name, f"{name}.index.json")]
    raise FileNotFoundError(f"{folder} holds no weights: it has none of {', '.join(files)}")


def read_shards(index: Path, read: Callable[[Path], dict[str, Tensor]]) -> dict[str, Tensor]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(shard, str) for shard in places.values()):
        raise ValueError(f"{index} is damaged (its weight_map names no files): download or copy it again")
    shards = sorted(set(places.values()))
    if outside := [shard for shard in shards if Path(shard).name != shard]:
        raise ValueError(f"{index} lists {', '.join(outside)}, outside of its folder")
    if absent := [shard for shard in shards if not (index.parent / shard).is_file()]:
        raise FileNotFoundError(f"{index.parent} lacks {', '.join(absent)}, which {index.name} lists")
    tensors: dict[str, Tensor] = {}
    for shard in shards:
        tensors |= read(index.parent / shard)
    if unwritten := sorted(places.keys() - tensors.keys()):
        raise ValueError(f"the shards in {index.parent} lack {', '.join(unwritten)}, which {index.name} lists")
    return tensors


def unpack(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged ({error}): download or copy it again; if it came by git, `git lfs pull` fetches it"
        ) from None


def unpickle(path: Path) -> dict[str, Tensor]:
    """A pickled file can name any function to call when it is read; `weights_only` lets it rebuild tensors alone."""
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{path} is refused: it is broken, or would run code when read ({reason})") from None
    if not isinstance(tensors, dict) or not all(isinstance(each, Tensor) for each in tensors.values()):
        raise ValueError(f"{path} is refused: it does not map names to tensors")
    return tensors
