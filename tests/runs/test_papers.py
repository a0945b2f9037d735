"""The papers' full recipes run at a reduced size; a new file under conf/experiment/papers is tested by existing."""

import math
import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from variformer.config import instantiate
from variformer.data import PythonDocs, RobertaBPE, TextData, Unigram, WordPiece
from variformer.runs.train import train

PAPERS = sorted(Path(__file__).parents[2].glob("conf/experiment/papers/*.yaml"))
NAMES = [path.stem for path in PAPERS]
STEPS = [
    *("max_steps=3", "max_epochs=null", "global_batch=4", "micro_batch=2", "eval_batch=4", "schedule.warmup=1"),
    *("model.width=16", "model.depth=2", "model.heads=2", "model.hidden=32", "precision=32-true", "compile=none"),
    *("trainer.workers=0", "trainer.validate_every=2", "trainer.validation_samples=4", "trainer.save_every=null"),
    *("trainer.log_every=1", "callbacks.throughput=null"),
]
TEXT = ["data=python_docs", "length=64", "model.vocab_size=600"]
IMAGES = ["data=digits", "model.patch_size=4"]
TOKENIZERS = {  # for the published ones, which would have to be downloaded; others read byte pairs with special tokens
    "bert_base": WordPiece(600),
    "distilbert_base": WordPiece(600),
    "albert_base": WordPiece(600),
    "t5_small": Unigram(600),
    "t5_v1_1_base": Unigram(600),
}
MORE = {
    "albert_base": ["model.embedding_width=8"],
    "t5_small": ["model.head_width=8"],
    "t5_v1_1_base": ["model.head_width=8"],
}


@pytest.fixture(scope="module")
def reduced(composed, tmp_path_factory):
    """A recipe's name, and more overrides -> its config at a reduced size."""

    def reduce(name: str, *more: str) -> dict:
        text = PAPERS[NAMES.index(name)].read_text()
        overrides = [f"experiment=papers/{name}", *STEPS, *MORE.get(name, [])]
        if "/tokenizer: none" in text:
            return composed(*overrides, *IMAGES, *more)
        recipe = TOKENIZERS.get(name, RobertaBPE(600))
        folder = tmp_path_factory.getbasetemp() / type(recipe).__name__
        if not folder.is_dir():
            TextData(PythonDocs(), recipe).tokenizer.save(folder)
        return composed(*overrides, *TEXT, f"tokenizer.path={folder}", *more)

    return reduce


@pytest.fixture(scope="module")
def teachers(reduced) -> dict[str, list[str]]:
    """What a recipe with a teacher is given in place of the paper's."""
    runs = {}
    for student, name in (("distilbert_base", "bert_base"), ("deit_b_distilled", "deit_b")):
        config = reduced(name, *(["model.max_length=64"] if name == "bert_base" else []))
        train(config)
        runs[student] = [f"objective.teacher={config['run_dir']}"]
    runs["distilbert_base"].append("objective.copied_layers=[0,1]")
    return runs


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_runs_at_reduced_size(name, reduced, teachers):
    assert math.isfinite(train(reduced(name, *teachers.get(name, []))))


@pytest.mark.parametrize("name", NAMES)
def test_it_says_that_it_was_not_reproduced(name):
    head = PAPERS[NAMES.index(name)].read_text().partition("defaults:")[0]
    assert "NOT REPRODUCED HERE" in head and f"experiment=papers/{name}" in head


@pytest.mark.parametrize("name", NAMES)
def test_its_head_lists_what_differs(name):
    head = PAPERS[NAMES.index(name)].read_text().partition("defaults:")[0]
    differences = [line for line in head.splitlines() if line.startswith("# Differs from ")]
    assert differences and all(line.endswith(".") and ": " in line for line in differences)
    assert "Not as in" not in head


TERMS = {  # of the reference code, where the paper leaves them open
    "distilbert_base": {"optimizer.beta2": 0.98, "optimizer.eps": 1e-6, "optimizer.weight_decay": 0.0, "clip": 5.0},
    "roberta_base": {"objective.fixed_count": True, "optimizer.beta2": 0.98, "clip": None},
    "vit_b16": {"data.augmentation.area": 0.05, "optimizer.weight_decay": 0.3, "clip": 1.0},
    "deit_b": {"model._target_": "variformer.models.PlainDeiT", "data.augmentation.area": 0.08, "clip": None},
}


@pytest.mark.parametrize("name", TERMS)
def test_its_terms_are_those_of_the_reference_code(composed, name):
    config = OmegaConf.create(composed(f"experiment=papers/{name}"))
    assert {key: OmegaConf.select(config, key) for key in TERMS[name]} == TERMS[name]


@pytest.mark.parametrize(("name", "end", "total"), [("bart_base", 450_000, 500_000), ("bert_base", 900_000, 1_000_000)])
def test_a_first_phase_ends_on_the_line_of_the_whole(composed, name, end, total):
    """The rate falls to zero over all steps; the second phase, whose rate the head gives, goes on from there."""
    config = composed(f"experiment=papers/{name}")
    rate = instantiate(config["schedule"])(end - 1, end) * config["optimizer"]["lr"]
    warmup = config["schedule"]["warmup"] if name == "bart_base" else 0  # BERT's line starts at step 0
    assert rate == pytest.approx(config["optimizer"]["lr"] * (total - end) / (total - warmup), rel=1e-3)
    second = re.search(r"optimizer\.lr=(\S+)", PAPERS[NAMES.index(name)].read_text())
    assert second is not None and float(second[1]) == pytest.approx(rate, rel=1e-3)


def test_berts_second_phase_starts_from_the_first(reduced):
    first = reduced("bert_base")
    train(first)
    longer = [f"init_from={first['run_dir']}", "length=128", "optimizer.lr=1e-5", "schedule.floor=0"]
    assert math.isfinite(train(reduced("bert_base", *longer)))
