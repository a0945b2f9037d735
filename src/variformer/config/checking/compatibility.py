"""Whether the model, the objective and the data fit each other, as their classes declare it.

The class of a model declares its `kind`, and a head for a task the kind that it makes of a model. The class of an
objective declares the kind that it `trains`, what it `reads` and, in `unfit`, values that a model's arguments must not
have; where a model has no such argument, its class may assign the value. In `monitors` it declares the metrics that
`monitor` may name. The class of data declares what it `holds`. A class that declares nothing fits everything.
"""

from collections.abc import Iterator
from pathlib import Path

from ..classes.attributes import declared
from ..errors import did_you_mean
from ..folders import config_folders
from ..tree import Config, Node, Value, at


def misfits(config: Config) -> Iterator[str]:
    """A line for each misfit, with the options that would fit."""
    model, data, head = config.get("model"), config.get("data"), config.get("head")
    part, group = (model, "model") if head is None else (head, "head")
    kind, holds = declared(part, "kind"), declared(data, "holds")
    yield from unanswered_metrics(config)
    for key, objective in tasks(config.get("objective"), "objective"):
        trains, reads = declared(objective, "trains"), declared(objective, "reads")
        if kind and trains and kind != trains:
            yield (
                f"{group}: {class_of(part)} is {a(kind)}, but {class_of(objective)} ({key}) trains {a(trains)}; "
                f"choose {models(trains, under_head=head is not None)}, or "
                f"{alternatives(objective=('trains', kind))}"
            )
        if holds and reads and holds != reads:
            yield (
                f"data: {class_of(data)} holds {holds}, but {class_of(objective)} ({key}) reads {reads}; "
                f"choose {alternatives(data=('holds', reads), objective=('reads', holds))}"
            )
        elif reads:
            yield from text_needs(config, reads)
        yield from unfit_arguments(model, key, objective)
        yield from unknown_monitor(key, objective)


def unanswered_metrics(config: Config) -> Iterator[str]:
    """Metrics of torchmetrics, where the objective gives them no scores and labels."""
    objective, metrics = config.get("objective"), config.get("metrics")
    names = [name for name, node in metrics.items() if node] if isinstance(metrics, dict) else []
    if names and isinstance(objective, dict) and not declared(objective, "answers"):
        yield f"metrics.{names[0]}: {class_of(objective)} gives it no scores and labels; set metrics.{names[0]}=null"


def tasks(objective: Value, key: str) -> Iterator[tuple[str, Node]]:
    """An objective and the objectives that it holds, each with its full key."""
    if isinstance(objective, dict) and "_target_" in objective:
        yield key, objective
        for name, each in objective.items():
            yield from tasks(each, f"{key}.{name}")


def text_needs(config: Config, reads: str) -> Iterator[str]:
    if reads != "images" and config.get("tokenizer") is None:
        yield "tokenizer: text needs a tokenizer; choose tokenizer=byte_bpe, word_piece, roberta_bpe or unigram"
    if reads != "images" and config.get("length") is None:
        yield "length: text needs a number of tokens in a sample; set length=128, or the most that the model reads"
    if reads == "images" and config.get("tokenizer") is not None:
        yield "tokenizer: images need no tokenizer; set tokenizer=none"


def unfit_arguments(model: Value, key: str, objective: Node) -> Iterator[str]:
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


def models(kind: str, under_head: bool) -> str:
    """What to choose so that the model is of a kind: a head for a task, no head, or another model."""
    if any(options("head", "kind", kind)):
        return alternatives(head=("kind", kind))
    return "head=none" if under_head else alternatives(model=("kind", kind))


def unknown_monitor(key: str, objective: Node) -> Iterator[str]:
    name, known = objective.get("monitor"), declared(objective, "monitors") or {}
    if name is not None and name not in known:
        yield f"{key}.monitor: {name!r} is no metric of {class_of(objective)}{did_you_mean(str(name), known)}"


def alternatives(**wanted: tuple[str, str]) -> str:
    """`model=gpt, or objective=...`: the options of each group whose class declares the value."""
    found = {group: list(options(group, name, value)) for group, (name, value) in wanted.items()}
    return ", or ".join(f"{group}={', '.join(names) or '...'}" for group, names in found.items())


def options(group: str, name: str, value: str) -> Iterator[str]:
    for folder in config_folders():
        for file in sorted((folder / group).glob("*.yaml")):
            if declared({"_target_": target_of(file)}, name) == value:
                yield file.stem


def target_of(file: Path) -> str | None:
    """The `_target_` of an option, or of the option that its defaults list begins with."""
    import yaml

    content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    if not isinstance(content, dict):
        return None
    first = next(iter(content.get("defaults", [])), None)
    return content.get("_target_") or (target_of(file.with_stem(first)) if isinstance(first, str) else None)


def class_of(node: Value) -> str:
    return str(at(node, "_target_")).rpartition(".")[2]


def a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
