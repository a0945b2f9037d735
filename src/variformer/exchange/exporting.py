"""A run as a Hugging Face folder, which `from_pretrained` of transformers reads."""

import os
import shutil
from pathlib import Path

from torch import nn

from .. import portable
from ..analysis.cost import parameter_count
from ..hub import read_json
from ..layers import TokenEmbedding
from ..models.contracts import declared
from ..run_directory.directory import RunDirectory, write_json
from ..weights.files import SHARD_BYTES, remove_weights, write_tensors
from .folders import require_writable
from .loading import load_run, run_config, run_preprocessor, tokenizer_of
from .measured import measured
from .model_card import Card
from .outgoing import REASON, Outgoing, imported, outgoing

GENERATES = ("LMHeadModel", "ForCausalLM", "ForConditionalGeneration")  # endings of the classes that generate text
GENERATION = (
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id"),
    "forced_eos_token_id",
)  # the settings of config.json that generation needs
ENDLESS = int(1e30)  # transformers writes this where a tokenizer has no limit


def export(
    run_dir: str | Path,
    folder: str | Path,
    *,
    checkpoint: str = "last",
    max_shard_bytes: int = SHARD_BYTES,
    force=False,
) -> Path:
    """Write the model of a run, its tokenizer or image processor, and a card into `folder`.

    With `force`, the files of an earlier export there are replaced; other files stay.
    Raises FileExistsError where the folder holds something and `force` is not given.
    Raises ValueError where transformers has no class for the run's parts and their own code cannot go along.
    """
    folder, run = Path(folder).resolve(), RunDirectory(run_dir)
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise FileExistsError(f"{folder} exists and is not empty: choose another folder, or --force to write into it")
    require_writable(folder)
    model = load_run(run.path, checkpoint)
    tokenizer, preprocessor = tokenizer_of(run.path), run_preprocessor(run.path)
    out = outgoing(model, run, tokenizer)
    working = (folder if folder.is_dir() else folder.parent) / f".{folder.name}.{os.getpid()}.tmp"
    working.mkdir(parents=True)
    try:
        write_json(working / "config.json", out.settings)
        write_tensors(out.tensors, working, max_shard_bytes)
        for name, text in out.code.items():
            (working / name).write_text(text, encoding="utf-8")
        if tokenizer is not None:
            write_tokenizer(model, run, working)
        if preprocessor is not None:
            write_json(working / "preprocessor_config.json", preprocessor)
        if out.architecture.endswith(GENERATES):
            generation = {name: out.settings[name] for name in GENERATION if out.settings.get(name) is not None}
            write_json(working / "generation_config.json", generation | imported(run, "generation_config.json"))
        (working / "README.md").write_text(str(card(run, model, out, checkpoint)), encoding="utf-8")
        move(working, folder)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return folder


def write_tokenizer(model: nn.Module, run: RunDirectory, folder: Path) -> None:
    """Copy the run's tokenizer. Where it was trained here, add what transformers needs to know of the model."""
    shutil.copytree(run.tokenizer, folder, dirs_exist_ok=True)
    if run.imported.is_dir():
        return
    segments = [each.segments for each in model.modules() if isinstance(each, TokenEmbedding)]
    told_apart = any(each is not None and each.num_embeddings > 1 for each in segments)
    file = folder / "tokenizer_config.json"
    config = read_json(file)
    config["model_max_length"] = run_config(run.path)["model"].get("max_length") or ENDLESS
    config["model_input_names"] = ["input_ids", *(["token_type_ids"] if told_apart else []), "attention_mask"]
    write_json(file, config)


def card(run: RunDirectory, model: nn.Module, out: Outgoing, checkpoint: str) -> Card:
    config = run_config(run.path)
    record, metrics = run.facts(), measured(run, checkpoint)
    return Card(
        config["name"],
        out.architecture,
        declared(model, "pipeline") or "",
        parameter_count(model),
        config,
        metrics,
        record,
        own_code=out.reason,
    )


def class_line(folder: Path) -> str:
    """The class of transformers that reads an exported folder, and why the folder has its own code, where it has."""
    settings = read_json(folder / "config.json")
    line = f"class: {settings['architectures'][0]}"
    reason = settings.get(REASON)
    return f"{line}, with its own modelling code (trust_remote_code=True), because {reason}" if reason else line


def move(source: Path, folder: Path) -> None:
    """Move all files of `source` into `folder`, in place of the weights and the code of an earlier export."""
    folder.mkdir(exist_ok=True)
    remove_weights(folder)
    portable.remove_code(folder)
    for file in source.iterdir():
        os.replace(file, folder / file.name)
