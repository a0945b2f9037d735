"""Samples to time with. Which tokens they hold does not matter; how many does."""

import re
from types import SimpleNamespace
from typing import Any

import numpy as np

from variformer.objectives.objective import Batch, Objective


def vocabulary(size: int) -> Any:
    """As much of a tokenizer as the objectives ask for: five special tokens first, sentinels last."""
    sentinels = np.arange(size - 1, size - 1 - min(100, size // 4), -1)
    special = np.arange(size) < 5
    special[sentinels] = True
    return SimpleNamespace(
        size=size,
        pad=0,
        end=1,
        unknown=2,
        start=3,
        mask=4,
        sentinels=sentinels,
        special=special,
        continues_word=np.zeros(size, dtype=bool),
        byte_lengths=np.ones(size, dtype=np.int64),
    )


def random_tokens(vocabulary: Any, length: int, key: int) -> dict[str, np.ndarray]:
    """A window of ordinary tokens, (length,)."""
    return {"tokens": np.random.default_rng(key).choice(np.flatnonzero(~vocabulary.special), length)}


def padded(sample: dict[str, np.ndarray], length: int) -> dict[str, np.ndarray]:
    """(any,) -> (length,) tokens, as a corpus pads its last window."""
    tokens = sample["tokens"]
    return {"tokens": np.pad(tokens, (0, length - len(tokens)), constant_values=-1)}


def paragraph_lengths(count: int, most: int) -> list[int]:
    """Words and punctuation marks in paragraphs of Python's language reference, each cut to `most`."""
    from pydoc_data.topics import topics

    paragraphs = [paragraph for text in topics.values() for paragraph in text.split("\n\n")]
    lengths = [len(re.findall(r"\w+|[^\w\s]", paragraph)) for paragraph in paragraphs]
    chosen = np.random.default_rng(0).permutation([min(length, most) for length in lengths if length])
    return [int(length) for length in chosen[:count]]


def batches_of(objective: Objective, samples: list[dict[str, Any]], count: int) -> list[Batch]:
    """`count` batches of equally many samples, as a loader would give them in training."""
    share = len(samples) // count
    keys = np.arange(len(samples), dtype=np.uint64)
    parts = [slice(number * share, (number + 1) * share) for number in range(count)]
    return [objective.collate(samples[part], keys[part], True) for part in parts]
