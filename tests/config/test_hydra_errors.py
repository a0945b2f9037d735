"""Where Hydra stops at an option or a key that is not there, the nearest is named."""

from pathlib import Path

import pytest

from variformer.config import register_resolvers
from variformer.config.composing.hydra_errors import unknown_keys

CONF = Path(__file__).parents[2] / "conf"


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("experiment=gtp", ["experiment: no such option `gtp`", "did you mean `gpt`?", "known: albert, bart"]),
        ("experiment=papers/bert_bse", ["did you mean `papers/bert_base`?"]),
        ("model/norm=rsm", ["model/norm: no such option `rsm`", "did you mean `rms`?"]),
        ("callbacks=[default,averge]", ["callbacks: no such option `averge`", "did you mean `average`?"]),
        ("optimizer=muon,admw", ["optimizer: no such option `admw`", "did you mean `adamw`?"]),
        ("model/nrom=rms", ["model/nrom: no such group", "did you mean `norm`?"]),
        ("~model", ["model: a run needs one; model=OPTION chooses another"]),
        ("golbal_batch=3", ["golbal_batch: no such key", "did you mean `global_batch`?"]),
    ],
)
def test_the_nearest_is_named_in_one_line(argument, words):
    register_resolvers()
    (line,) = unknown_keys([CONF], "train", [argument])
    assert all(word in line for word in words), line


def test_what_is_there_needs_no_hint():
    register_resolvers()
    assert unknown_keys([CONF], "train", ["experiment=papers/bert_base", "callbacks=[default]", "max_steps=3"]) == []
