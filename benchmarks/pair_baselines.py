"""Does a pair of segments give itself away? What can be said of it without reading how both fit together.

    python benchmarks/pair_baselines.py --run RUN     beside a BERT or ALBERT run's own pair accuracy

Logistic regressions learn from pairs of the training split, made as the run's objective makes them, and answer for
pairs of the validation and the test split. Each sees one part of a pair alone. None should do better than the
commoner answer: what it gains is no understanding of text, and a model can learn it as well.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from language_baselines import HELD_OUT, number, run_metric, task_of
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from timing import markdown

from variformer.randomness import sample_key

Samples = list[dict[str, Any]]
BATCH = 64  # pairs that a model reads at once


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="a run directory: its data, objective and metrics")
    parser.add_argument("--pairs", type=int, default=20_000, help="from each split; a text is read as often as needed")
    chosen = parser.parse_args(arguments)
    try:
        print(table(chosen.run, chosen.pairs))
    except (FileNotFoundError, ValueError) as error:
        parser.exit(2, f"{error}\n")


def table(run: Path, count: int) -> str:
    """Accuracies of each baseline on the held-out splits, and of the run."""
    results = baselines(task_of(run), count)
    rows = [[name, *(number(results[split][name]) for split in HELD_OUT)] for name in results["val"]]
    rows.append([f"run {run.name}", *(number(run_metric(run, split, "pair_accuracy")) for split in HELD_OUT)])
    head = f"Accuracy on {count} pairs, a standard error of {0.5 / count**0.5:.4f}\n\n"
    return head + markdown(["what is seen", *HELD_OUT], rows)


def baselines(task: Any, count: int) -> dict[str, dict[str, float]]:
    """Split -> what is seen of a pair -> accuracy. Raises ValueError where the task has no pairs."""
    views = {split: task.objective.view(task.data.split(split)) for split in ("train", *HELD_OUT)}
    if "is_next" not in views["train"].sample(0, 0):
        raise ValueError("the objective has no pairs of segments: choose a run of masked_tokens_and_pairs or _order")
    samples = {split: draw(view, count, seed) for seed, (split, view) in enumerate(views.items())}
    return {split: accuracies(samples["train"], samples[split], task.tokenizer.size) for split in HELD_OUT}


def own_accuracy(run: Path, task: Any, split: str, count: int) -> float:
    """Of a run's model on `count` pairs: a held-out split alone has too few for an answer."""
    import torch

    from variformer.exchange.loading import load_run

    model, view = load_run(run), task.objective.view(task.data.split(split))
    places = [divmod(position, len(view)) for position in range(count)]
    hits = 0
    for begin in range(0, count, BATCH):
        chosen = places[begin : begin + BATCH]
        keys = np.array([sample_key(1, epoch, index) for epoch, index in chosen], dtype=np.uint64)
        samples = [view.sample(index, int(key)) for (_, index), key in zip(chosen, keys, strict=True)]
        batch = task.objective.collate(samples, keys, False)
        with torch.no_grad():
            answers = model(**task.objective.inputs(batch)).pair.argmax(-1)
        hits += int((answers == batch["pair"]).sum())
    return hits / count


def draw(view: Any, count: int, seed: int) -> Samples:
    """`count` pairs of a view, read in turn with new random numbers each time."""
    places = (divmod(position, len(view)) for position in range(count))
    return [view.sample(index, sample_key(seed, epoch, index)) for epoch, index in places]


def accuracies(train: Samples, held_out: Samples, vocab_size: int) -> dict[str, float]:
    """By what is seen of a pair: the share of the held-out pairs that are answered right."""
    known, asked = (np.array([sample["is_next"] for sample in samples]) for samples in (train, held_out))
    result = {"nothing: the commoner answer": float((asked == np.bincount(known).argmax()).mean())}
    for name, features in FEATURES.items():
        model = LogisticRegression(C=0.1, max_iter=200).fit(features(train, vocab_size), known)
        result[name] = float(model.score(features(held_out, vocab_size), asked))
    return result


def lengths(samples: Samples, vocab_size: int) -> sparse.csr_matrix:
    """One-hot lengths of both segments and of the pair, in steps of four tokens."""
    pairs = np.array([[len(sample["first"]), len(sample["second"])] for sample in samples])
    return one_hot((np.c_[pairs, pairs.sum(1)] // 4).clip(max=1023), 1024)


def words(samples: Samples, vocab_size: int, part: str) -> sparse.csr_matrix:
    """Which tokens occur in a segment."""
    rows = np.repeat(np.arange(len(samples)), [len(sample[part]) for sample in samples])
    columns = np.concatenate([sample[part] for sample in samples])
    counts = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(samples), vocab_size))
    return (counts > 0).astype(float)


def ends(samples: Samples, vocab_size: int, part: str, step: int) -> sparse.csr_matrix:
    """One-hot tokens of a segment, the first three (`step` 1) or the last three (-1)."""
    missing = [vocab_size] * 3
    return one_hot(np.array([[*sample[part][::step][:3], *missing][:3] for sample in samples]), vocab_size + 1)


def one_hot(values: np.ndarray, size: int) -> sparse.csr_matrix:
    """(N, F) integers below `size` -> (N, F x size)."""
    rows = np.repeat(np.arange(len(values)), values.shape[1])
    columns = (values + np.arange(values.shape[1]) * size).ravel()
    return sparse.csr_matrix((np.ones(values.size), (rows, columns)), shape=(len(values), values.shape[1] * size))


FEATURES = {
    "lengths of both segments": lengths,
    "first three tokens of the first": lambda samples, size: ends(samples, size, "first", 1),
    "last three tokens of the first": lambda samples, size: ends(samples, size, "first", -1),
    "words of the first": lambda samples, size: words(samples, size, "first"),
    "first three tokens of the second": lambda samples, size: ends(samples, size, "second", 1),
    "last three tokens of the second": lambda samples, size: ends(samples, size, "second", -1),
    "words of the second": lambda samples, size: words(samples, size, "second"),
}


if __name__ == "__main__":
    main()
