"""What a model, an objective and data need of each other, as their classes say it.

A model's class says its `kind`. An objective's says the kind that it `trains`, what it `reads` and, in `unfit`, values
that a model's arguments must not have; where a model has no such argument, its class may assign the value. The class
of data says what it `holds`. What says nothing fits everything.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..classes.signatures import bases
from ..classes.targets import Definition, find
from ..folders import unique

Config = dict[str, Any]


def declared(node: Any, name: str) -> Any:
    """The literal that the class of a node, or else its nearest base, assigns to `name`; None where none does."""
    try:
        return of_class(find(node["_target_"]), name)
    except (LookupError, TypeError):  # no node, or none that may be built: reported elsewhere
        return None


def of_class(definition: Definition, name: str) -> Any:
    for statement in getattr(definition.node, "body", ()):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=id), value=ast.expr() as value) if id == name:
                return ast.literal_eval(value)
            case ast.Assign(targets=[ast.Name(id=id)], value=value) if id == name:
                return ast.literal_eval(value)
    return next((said for base in bases(definition) if (said := of_class(base, name)) is not None), None)


def misfits(config: Config) -> Iterator[str]:
    """What does not fit, and the choices that would."""
    model, data = config.get("model"), config.get("data")
    kind, holds = declared(model, "kind"), declared(data, "holds")
    yield from unanswered_metrics(config)
    for key, objective in tasks(config.get("objective"), "objective"):
        trains, reads = declared(objective, "trains"), declared(objective, "reads")
        if kind and trains and kind != trains:
            yield (
                f"model: {class_of(model)} is {a(kind)}, but {class_of(objective)} ({key}) trains {a(trains)}; "
                f"choose {alternatives(model=('kind', trains), objective=('trains', kind))}"
            )
        if holds and reads and holds != reads:
            yield (
                f"data: {class_of(data)} holds {holds}, but {class_of(objective)} ({key}) reads {reads}; "
                f"choose {alternatives(data=('holds', reads), objective=('reads', holds))}"
            )
        elif reads:
            yield from text_needs(config, reads)
        yield from unfit_arguments(model, key, objective)


def unanswered_metrics(config: Config) -> Iterator[str]:
    """Metrics of torchmetrics that the objective gives nothing to."""
    objective, metrics = config.get("objective"), config.get("metrics")
    names = [name for name, node in metrics.items() if node] if isinstance(metrics, dict) else []
    if names and isinstance(objective, dict) and not declared(objective, "answers"):
        yield f"metrics.{names[0]}: {class_of(objective)} gives no scores and labels to it; set metrics.{names[0]}=null"


def tasks(objective: Any, key: str) -> Iterator[tuple[str, Any]]:
    """An objective, and those that it holds."""
    if isinstance(objective, dict) and "_target_" in objective:
        yield key, objective
        for name, each in objective.items():
            yield from tasks(each, f"{key}.{name}")


def text_needs(config: Config, reads: str) -> Iterator[str]:
    if reads == "text" and config.get("tokenizer") is None:
        yield "tokenizer: text needs one; choose tokenizer=byte_bpe, word_piece, roberta_bpe or unigram"
    if reads == "text" and config.get("length") is None:
        yield "length: text needs it, the tokens of a sample; set length=128, or what the model reads at most"
    if reads == "images" and config.get("tokenizer") is not None:
        yield "tokenizer: images need none; set tokenizer=none"


def unfit_arguments(model: Any, key: str, objective: Any) -> Iterator[str]:
    for name, values in (declared(objective, "unfit") or {}).items():
        if isinstance(model, dict) and model.get(name) in values:
            needed = max(values) + 1
            yield (
                f"model.{name}: {class_of(objective)} ({key}) cannot train a model with {model[name]}; "
                f"set model.{name}={needed}, or choose another objective"
            )
        elif declared(model, name) in values:
            yield (
                f"model: {class_of(model)} has no {name}, which {class_of(objective)} ({key}) trains; "
                "choose another objective"
            )


def alternatives(**wanted: tuple[str, str]) -> str:
    """`model=gpt, or objective=...`: the options of each group whose class says so."""
    found = {group: list(options(group, name, said)) for group, (name, said) in wanted.items()}
    return ", or ".join(f"{group}={', '.join(names) or '...'}" for group, names in found.items())


def options(group: str, name: str, said: str) -> Iterator[str]:
    for folder in config_folders():
        for file in sorted((folder / group).glob("*.yaml")):
            if declared({"_target_": target_of(file)}, name) == said:
                yield file.stem


def target_of(file: Path) -> str | None:
    """The class that an option builds, which may stand in the option that it begins with."""
    import yaml

    content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    if not isinstance(content, dict):
        return None
    first = next(iter(content.get("defaults", [])), None)
    return content.get("_target_") or (target_of(file.with_stem(first)) if isinstance(first, str) else None)


def config_folders() -> list[Path]:
    """Where Hydra looks for options, while it does."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    if HydraConfig.initialized():
        paths = [source.path for source in HydraConfig.get().runtime.config_sources if source.schema == "file"]
    elif GlobalHydra.instance().is_initialized():
        sources = GlobalHydra.instance().config_loader().get_sources()
        paths = [source.path for source in sources if source.scheme() == "file"]
    else:
        paths = []
    return unique([Path(path) for path in paths])


def class_of(node: Any) -> str:
    return str(node["_target_"]).rpartition(".")[2]


def a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
