"""How good is a loss? What counting and compressing reach on the same text.

    python benchmarks/language_baselines.py --run RUN            bits per byte, beside a GPT run's own
    python benchmarks/language_baselines.py --vocab-size 4096    the same for python_docs, without a run
    python benchmarks/language_baselines.py --run RUN --masked   what the frequencies of a BERT, T5 or BART run's
                                                                 targets give away

Every model sees the training split alone and scores the validation and the test split. Targets are those of
the GPT objective: all tokens but the first, with the end token before each document. Bytes are those of the
text.
"""

import argparse
import json
import lzma
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from kneser_ney import KneserNey
from results import Result, measured_here, source_fingerprint
from timing import markdown

HELD_OUT = ("val", "test")
NGRAMS = {"unigram": 1, "Kneser-Ney bigram": 2, "Kneser-Ney trigram": 3}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run directory: its data, tokenizer, objective and metrics")
    parser.add_argument("--vocab-size", type=int, default=4096, help="of a byte-level BPE, without --run")
    parser.add_argument("--masked", action="store_true", help="baselines of a BERT, T5 or BART run")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/language_baselines.json")
    chosen = parser.parse_args(arguments)
    if chosen.masked and chosen.run is None:
        parser.error("--masked needs --run: the targets are those of the run's own objective")
    try:
        table = masked_table(chosen.run) if chosen.masked else text_table(chosen.run, chosen.vocab_size)
        print(table)
        if chosen.keep:
            print(kept(table.splitlines(), chosen.run).write())
    except (FileNotFoundError, ValueError) as error:
        parser.exit(2, f"{error}\n")


def kept(lines: list[str], run: Path | None) -> Result:
    """As a file of results, whose source is that of the run, or Python's documentation."""
    from omegaconf import OmegaConf

    from variformer.config.composing.saved_configs import saved_config

    if run is not None:  # runs/gpt/<time>-<id>: the README calls it by its name
        lines = [line.replace(run.name, run.resolve().parent.name) for line in lines]
    lines = [line for line in lines if line.startswith("|")]
    result = measured_here("language_baselines", "language_baselines.py", {"table": lines})
    result.command = "python benchmarks/language_baselines.py" + (" --run RUN" if run else "")
    node: Any = (
        {"_target_": "variformer.data.PythonDocs"}
        if run is None
        else OmegaConf.to_container(saved_config(run).data.source)
    )
    result.source = {"node": node, "fingerprint": source_fingerprint(node)}
    return result


def text_table(run: Path | None, vocab_size: int) -> str:
    """Bits per byte of each baseline, and of the run."""
    data = python_docs(vocab_size) if run is None else task_of(run).data
    rows = [[name, *(values[split] for split in HELD_OUT)] for name, values in text_baselines(data).items()]
    if run is not None:
        rows.append([f"run {run.name}", *(run_metric(run, split, "bits_per_byte") for split in HELD_OUT)])
    head = f"Bits per byte, {data.tokenizer.size} tokens in the vocabulary\n\n"
    return head + markdown(["model", *HELD_OUT], [[name, *map(number, values)] for name, *values in rows])


def text_baselines(data: Any) -> dict[str, dict[str, float]]:
    """Baseline -> split -> bits per byte. Raises ValueError where the tokenizer loses bytes."""
    lengths = data.tokenizer.byte_lengths
    if lengths is None:
        raise ValueError(
            "this tokenizer does not keep every byte of the text, so there are no bits per byte; "
            "compare a run that has tokenizer=byte_bpe, or use --masked"
        )
    streams = {split: stream_of(data.split(split)) for split in ("train", *HELD_OUT)}
    found = {}
    for name, order in NGRAMS.items():
        model = KneserNey(streams["train"], order, data.tokenizer.size)
        found[name] = {split: bits_per_byte(model, streams[split], lengths) for split in HELD_OUT}
    texts = {split: text_of(data, split) for split in streams}
    found["xz -9e"] = {split: compressed_bits(texts["train"], texts[split]) for split in HELD_OUT}
    return found


class TargetBaselines(NamedTuple):
    """What the frequencies of a run's targets alone give, in one split."""

    targets: int
    commonest: str  # of the training targets
    accuracy: float  # of always answering it
    nats: float  # of a unigram counted on the training targets
    entropy: float  # of the split's own targets: no model that ignores the context can lose less


def target_baselines(task: Any, split: str) -> TargetBaselines:
    train, targets = targets_of(task, "train"), targets_of(task, split)
    answer = np.bincount(train).argmax()
    nats = -np.log(KneserNey(train, 1, task.tokenizer.size).probability(targets[:, None])).mean()
    commonest = task.tokenizer.decode([int(answer)], skip_special=False)
    return TargetBaselines(len(targets), commonest, float((targets == answer).mean()), float(nats), entropy(targets))


def masked_table(run: Path) -> str:
    """What the targets' frequencies alone give on a run's own targets, in validation as the run sees it."""
    task = task_of(run)
    found = {split: target_baselines(task, split) for split in HELD_OUT}
    header = [
        "split",
        "targets",
        "always the commonest: accuracy",
        "training unigram: nats",
        "own entropy: nats",
    ]
    rows = [
        [split, each.targets, *map(number, [each.accuracy, each.nats, each.entropy])] for split, each in found.items()
    ]
    kept = json.loads((run / "metrics.json").read_text()) if (run / "metrics.json").is_file() else {}
    metrics = ", ".join(f"{name} {number(value)}" for name, value in kept.items() if name.startswith("val/"))
    return (
        f"The commonest target in training is {found['val'].commonest!r}.\n\n"
        f"{markdown(header, rows)}\n\nrun {run.name}: {metrics or 'not finished'}"
    )


def python_docs(vocab_size: int) -> Any:
    from variformer.data import ByteLevelBPE, PythonDocs, TextData

    return TextData(PythonDocs(), ByteLevelBPE(vocab_size))


def task_of(run: Path) -> Any:
    """A run's data with its tokenizer, and its objective. Exits where the data are not those of the run."""
    from omegaconf import OmegaConf

    from variformer.config.composing.saved_configs import saved_config
    from variformer.config.schema import experiment
    from variformer.run_directory.directory import RunDirectory
    from variformer.runs.data_identity import difference
    from variformer.runs.task import build_task

    config: Any = OmegaConf.to_container(saved_config(run))
    task = build_task(experiment(config), run / "tokenizer")
    if what := difference(RunDirectory(run), task.data, config):
        raise SystemExit(f"{what}. Bring them back")
    return task


def stream_of(corpus: Any) -> np.ndarray:
    """The text as the GPT objective's windows give it, in one piece."""
    tokens = len(corpus.windows(1))
    return corpus.windows(tokens).sample(0, 0)["tokens"]


def text_of(data: Any, split: str) -> bytes:
    """The documents, each behind a byte that no text has, as each is behind an end token for the models."""
    corpus = data.split(split)
    starts = zip(corpus.documents[:-1], corpus.documents[1:], strict=True)
    return b"".join(b"\0" + data.tokenizer.decode(corpus.tokens[start:end]).encode() for start, end in starts)


def bits_per_byte(model: KneserNey, stream: np.ndarray, lengths: np.ndarray) -> float:
    """Of all tokens but the first."""
    return float(-np.log2(model.probabilities(stream)).sum() / lengths[stream[1:]].sum())


def compressed_bits(train: bytes, held_out: bytes) -> float:
    """Bits that xz spends on each byte of a text behind the training text, which it has compressed before."""
    # A dictionary over both, so that nothing is forgotten; xz asks for at least 4 KiB.
    dictionary = max(len(train) + len(held_out), 4096)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": dictionary}]

    def size(text: bytes) -> int:
        return len(lzma.compress(text, lzma.FORMAT_XZ, filters=filters))

    return 8 * (size(train + held_out) - size(train)) / (len(held_out) - held_out.count(b"\0"))


def targets_of(task: Any, split: str) -> np.ndarray:
    """All targets of one pass over a split, hidden as they are in evaluation; of a BART run, the hidden tokens."""
    from variformer.data.loader import loader
    from variformer.data.order import BatchPart, EvaluationOrder

    view = task.objective.view(task.data.split(split))
    order = EvaluationOrder(range(len(view)), BatchPart(64))
    batches: Iterator[Any] = iter(loader(view, order, task.objective.collate, seed=0))
    return np.concatenate([batch["targets"][batch.get("hidden", batch["targets"] >= 0)].numpy() for batch in batches])


def entropy(targets: np.ndarray) -> float:
    """Nats per target of their own frequencies: no model that ignores the context can lose less."""
    counts = np.bincount(targets)
    shares = counts[counts > 0] / len(targets)
    return float(-(shares * np.log(shares)).sum())


def run_metric(run: Path, split: str, name: str) -> float:
    """From metrics.json, or what evaluate.py left of the last weights; NaN where there is neither."""
    for file, key in (("metrics.json", f"{split}/{name}"), (f"metrics_{split}_last.json", name)):
        path = run / file
        if path.is_file() and key in (kept := json.loads(path.read_text())):
            return kept[key]
    return math.nan


def number(value: Any) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


if __name__ == "__main__":
    main()
