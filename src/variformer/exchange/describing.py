"""The facts that `variformer info` prints."""

from pathlib import Path
from typing import Any

from torch import nn

from ..analysis.cost import parameter_count
from ..data import Tokenizer
from ..hub import locate, read_json
from ..layers import Transformer
from ..run_directory.directory import RunDirectory
from .loading import is_run, load, run_config, run_node
from .measured import measured
from .outgoing import destination_of, exports, imported


def description(source: str | Path, checkpoint: str = "last") -> dict[str, Any]:
    """What is known of a model: the value of each fact by its name."""
    folder = locate(source)
    model, reader = load(folder, checkpoint)
    facts: dict[str, Any] = {
        "folder": folder,
        "model": type(model).__name__,
        "parameters": f"{parameter_count(model):,}",
    }
    facts |= {name: sizes(part) for name, part in model.named_modules() if isinstance(part, Transformer)}
    if is_run(folder):
        facts["exports"] = exports(model, run_node(folder), imported(RunDirectory(folder), "config.json"))
    else:
        facts["exports"] = str(destination_of(model, read_json(folder / "config.json")))
    if isinstance(reader, Tokenizer):
        facts["tokenizer"] = f"{reader.size:,} tokens"
    if is_run(folder):
        objective = run_config(folder)["objective"]
        facts["objective"] = objective["_target_"].rpartition(".")[2] if objective else "none yet"
        for split, values in measured(RunDirectory(folder), checkpoint).items():
            facts[split] = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    return facts


def sizes(transformer: Transformer) -> str:
    """Depth, width, heads and tokens of a transformer, in words."""
    attention: Any = transformer.blocks[0].self_attention
    embeddings = [part for part in transformer.embedding.modules() if isinstance(part, nn.Embedding)]
    tokens = f", {embeddings[0].num_embeddings:,} tokens" if embeddings else ""
    return f"{transformer.depth} layers, {attention.query.in_features} wide, {attention.heads} heads{tokens}"
