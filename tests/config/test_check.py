"""Mistakes in a config are all found, by name, fast, and before anything is imported."""

import copy
import json
import subprocess
import sys
from typing import Any

import pytest

from variformer.config import ConfigError, check

ROTARY = {"_target_": "variformer.layers.RotaryPositions", "_partial_": True, "base": 10000}
RMS = {"_target_": "torch.nn.RMSNorm", "_partial_": True, "eps": 1e-6}
STOP = {
    "_target_": "lightning.pytorch.callbacks.EarlyStopping",
    "monitor": "val/loss",
    "patience": 3,
    "mode": "min",
}
MUON = {"_target_": "variformer.training.optimizer.Muon", "_partial_": True}
AVERAGE = {"_target_": "variformer.training.callbacks.MovingAverage", "decay": 2}
FLIPPED = {"_target_": "variformer.data.images.Augmentation", "flip": 2}
FLIP = {"_target_": "torchvision.transforms.v2.RandomHorizontalFlip", "p": 0.5}

TEXT: dict[str, Any] = {
    "model": {
        "_target_": "variformer.models.GPT",
        "vocab_size": 4096,
        "width": 192,
        "depth": 4,
        "heads": 6,
        "hidden": 768,
        "max_length": 128,
        "positions": ROTARY,
        "norm": RMS,
    },
    "objective": {"_target_": "variformer.objectives.next_token.NextToken", "_partial_": True},
    "tokenizer": {"_target_": "variformer.data.text.tokenizer_recipes.ByteLevelBPE", "vocab_size": 4096},
    "data": {
        "_target_": "variformer.data.text.data.TextData",
        "_partial_": True,
        "source": {"_target_": "variformer.data.text.python_docs.PythonDocs"},
    },
    "optimizer": {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 1e-3, "betas": [0.9, 0.95]},
    "schedule": {"_target_": "variformer.training.schedules.Cosine", "_partial_": True, "warmup": 10},
    "length": 128,
    "global_batch": 64,
    "micro_batch": 16,
    "max_steps": 100,
    "clip": 1,  # a whole number is a float, too
    "callbacks": {"stop": STOP, "none": None},
}
IMAGES: dict[str, Any] = {
    "model": {
        "_target_": "variformer.models.ViT",
        "image_size": 8,
        "patch_size": 2,
        "channels": 1,
        "classes": 10,
        "width": 64,
        "heads": 4,
    },
    "objective": {
        "_target_": "variformer.objectives.image_classification.ImageClassification",
        "_partial_": True,
    },
    "data": {
        "_target_": "variformer.data.images.ImageData",
        "source": {"_target_": "variformer.data.images.Digits"},
        "image_size": 8,
        "channels": 1,
        "classes": 10,
    },
    "optimizer": {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1},
    "global_batch": 64,
    "max_epochs": 1.5,
    "trainer": {"devices": 2},
}
ABSENT = "<left out>"

# (config, key, value it gets, words of the only complaint)
MUTATIONS: list[tuple[dict[str, Any], str, Any, list[str]]] = [
    (TEXT, "modle", {}, ["unknown key", "did you mean `model`?"]),
    (TEXT, "golbal_batch", 3, ["unknown", "did you mean `global_batch`?"]),
    (TEXT, "model", ABSENT, ["missing, a run needs it"]),
    (TEXT, "model", "gpt", ["'gpt'", "_target_"]),
    (TEXT, "model", {"width": 3}, ["_target_"]),
    (
        TEXT,
        "model.heds",
        3,
        ["unknown", "variformer.models.GPT", "did you mean `heads`?", "known: vocab_size, width"],
    ),
    (TEXT, "model.image_size", 8, ["unknown", "variformer.models.GPT"]),
    (TEXT, "model.width", "192", ["'192' is not a whole number of 1 or more"]),
    (TEXT, "model.width", 192.0, ["192.0 is not a whole number of 1 or more"]),
    (TEXT, "model.width", True, ["True is not a whole number of 1 or more"]),
    (TEXT, "model.width", None, ["None is not a whole number of 1 or more"]),
    (TEXT, "model.width", "???", ["needs a value"]),
    (TEXT, "model.depth", 0, ["0 is not a whole number of 1 or more"]),
    (TEXT, "model.dropout", "0.1", ["'0.1' is not a number from 0 to below 1"]),
    (TEXT, "model.dropout", 1, ["1 is not a number from 0 to below 1"]),
    (TEXT, "model.activation", "gleu", ["did you mean `gelu`?"]),
    (TEXT, "model.positions", "rotary", ["'rotary'", "_target_"]),
    (TEXT, "model.positions.bsae", 1, ["unknown", "did you mean `base`?"]),
    (TEXT, "model.positions.base", "big", ["'big' is not a number above 0"]),
    (TEXT, "model.positions._partial_", ABSENT, ["model.positions.sizes", "missing", "_partial_: true"]),
    (TEXT, "model.positions._partial_", "yes", ["not true or false"]),
    (TEXT, "model._target_", "variformer.models.GTP", ["does not exist", "did you mean `GPT`?"]),
    (TEXT, "model._target_", "variformer.modles.GPT", ["no module `modles`", "did you mean `models`?"]),
    (TEXT, "model.norm._target_", "torch.nn.RSMNorm", ["does not exist", "did you mean `RMSNorm`?"]),
    (TEXT, "model.norm.epsilon", 1.0, ["unknown", "did you mean `eps`?"]),
    (IMAGES, "model.heads", 5, ["model.width: 64 is not divisible by model.heads=5"]),
    (TEXT, "model.heads", 64, ["model.positions", "3 wide", "even"]),
    (TEXT, "optimizer.lr", "1e-3", ["'1e-3' is not float"]),
    (TEXT, "optimizer.learning_rate", 1.0, ["unknown", "torch.optim.AdamW", "known: params, lr"]),
    (TEXT, "optimizer.betas", [0.9], ["is not tuple"]),
    (TEXT, "optimizer._partial_", False, ["optimizer.params", "missing"]),
    (TEXT, "length", 256, ["exceeds model.max_length=128"]),
    (TEXT, "global_batch", 60, ["not divisible by 16", "micro_batch"]),
    (TEXT, "max_epochs", 2, ["max_steps, max_epochs", "both are"]),
    (TEXT, "max_steps", ABSENT, ["max_steps, max_epochs", "neither is"]),
    (TEXT, "schedule.warmup", 101, ["exceeds max_steps=100"]),
    (TEXT, "tokenizer.vocab_size", 5000, ["exceeds model.vocab_size=4096", "set model.vocab_size to 5000"]),
    (TEXT, "schedule.warmup", 2.5, ["2.5 is not a whole number of 0 or more, or a number from 0 to below 1"]),
    (TEXT, "seed", -1, ["-1 is not a whole number from 0 to 4294967295"]),
    (TEXT, "seed", 2**32, ["4294967296 is not a whole number"]),
    (TEXT, "clip", 0, ["0 is not a number above 0, or null"]),
    (TEXT, "clip", -1, ["-1 is not a number above 0, or null"]),
    (TEXT, "optimizer", MUON | {"lr": -1}, ["optimizer.lr: -1 is not a number of 0 or more"]),
    (TEXT, "optimizer", MUON | {"adamw_lr": -1}, ["optimizer.adamw_lr: -1 is not a number of 0 or more"]),
    (TEXT, "optimizer", MUON | {"momentum": 3}, ["optimizer.momentum: 3 is not a number from 0 to below 1"]),
    (TEXT, "optimizer", MUON | {"weight_decay": -5}, ["optimizer.weight_decay: -5 is not a number of 0 or more"]),
    (TEXT, "optimizer", MUON | {"lr": float("nan")}, ["optimizer.lr: nan is not a finite number"]),
    (TEXT, "optimizer", MUON | {"lr": float("inf")}, ["optimizer.lr: inf is not a finite number"]),
    (TEXT, "optimizer.lr", float("nan"), ["nan is not a finite number"]),  # of torch's own AdamW
    (TEXT, "optimizer.betas", [0.9, float("inf")], ["optimizer.betas[1]: inf is not a finite number"]),
    (TEXT, "model.norm.eps", float("-inf"), ["-inf is not a finite number"]),
    (TEXT, "trainer", {"save_every": 0}, ["trainer.save_every: 0 is not a whole number of 1 or more, or null"]),
    (TEXT, "callbacks.average", AVERAGE, ["callbacks.average.decay: 2 is not a number from 0 to below 1"]),
    (IMAGES, "data.std", [0], ["data.std[0]: 0 does not fit in a list, each item a number above 0"]),
    (IMAGES, "data.augmentation", FLIPPED, ["data.augmentation.flip: 2 is not a number from 0 to 1"]),
    (TEXT, "seed", "${oc.env:HOME}", ["interpolation"]),
    (TEXT, "precision", "bf16", ["did you mean `bf16", "known: 32-true"]),
    (TEXT, "compile", True, ["True is not a choice"]),
    (TEXT, "callbacks.stop.patience", 1.5, ["1.5 is not int"]),
    (TEXT, "callbacks.stop.montior", "x", ["unknown", "did you mean `monitor`?"]),
    (TEXT, "callbacks.other", {"patience": 1}, ["{'patience': 1} does not fit in dict[str, Node | None]"]),
    (IMAGES, "trainer.devces", 1, ["unknown", "did you mean `devices`?"]),
    (IMAGES, "trainer.devices", "two", ["'two' is not a whole number of 1 or more, or auto"]),
    (IMAGES, "trainer.devices", 3, ["global_batch: 64 is not divisible by 3"]),
    (IMAGES, "model.patch_size", 3, ["model.image_size: 8 is not divisible by model.patch_size=3"]),
    (
        IMAGES,
        "model.classes",
        ABSENT,
        ["model.classes: 1000 differs from data.classes=10", "set model.classes=10"],
    ),
    (IMAGES, "data.channels", 3, ["model.channels: 1 differs from data.channels=3"]),
    (IMAGES, "model.image_size", 16, ["model.image_size: 16 differs from data.image_size=8"]),
    (IMAGES, "data.source", ABSENT, ["missing", "variformer.data.images.ImageData"]),
    (IMAGES, "data.source.root", "x", ["unknown", "variformer.data.images.Digits"]),
]


def changed(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    config = copy.deepcopy(config)
    *path, last = key.split(".")
    inner = config
    for name in path:
        inner = inner.setdefault(name, {})
    inner[last] = value
    if value is ABSENT:
        del inner[last]
    return config


def problems(config: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check(config)
    assert str(caught.value).splitlines() == caught.value.problems
    return caught.value.problems


@pytest.mark.parametrize("config", [TEXT, IMAGES], ids=["text", "images"])
def test_a_good_config_passes_and_is_not_touched(config):
    before = copy.deepcopy(config)
    check(config)
    assert config == before


@pytest.mark.parametrize(("config", "key", "value", "words"), MUTATIONS, ids=[f"{m[1]}={m[2]}"[:60] for m in MUTATIONS])
def test_a_mistake_is_the_one_complaint(config, key, value, words):
    found = problems(changed(config, key, value))
    assert len(found) == 1, found
    assert all(word in found[0] for word in words), found[0]
    first = words[0].split(":")[0]
    assert found[0].startswith((key, first)), found[0]


def test_all_mistakes_are_listed_at_once():
    config = changed(changed(changed(TEXT, "model.heds", 3), "optimizer.lr", "x"), "max_epochs", 1.0)
    assert [line.split(":")[0] for line in problems(config)] == [
        "model.heds",
        "optimizer.lr",
        "max_steps, max_epochs",
    ]


def test_head_width_frees_the_width_from_the_heads():
    config = changed(TEXT, "objective._target_", "variformer.objectives.span_corruption.SpanCorruption")
    model = {"_target_": "variformer.models.T5", "width": 100, "heads": 6, "vocab_size": 4096}
    config = changed(config, "model", model)
    check(config)  # T5's own head_width is a default that the config does not show


def test_nodes_are_checked_wherever_they_hide():
    config = changed(TEXT, "data.source", [{"deep": {"_target_": "torch.nn.Linear", "in_featres": 3}}])
    assert any(
        "data.source[0].deep.in_featres: unknown argument of torch.nn.Linear" in line for line in problems(config)
    )
    transforms = {
        "_target_": "torchvision.transforms.v2.Compose",
        "transforms": [FLIP, {**FLIP, "p": "half"}],
    }
    found = problems(changed(TEXT, "callbacks.augment", transforms))
    assert found == ["callbacks.augment.transforms[1].p: 'half' is not float"]


def test_a_config_must_be_plain():
    with pytest.raises(TypeError, match="to_container"):
        check([("model", 1)])  # type: ignore[arg-type]


FORBIDDEN = [
    "os.system",
    "subprocess.run",
    "builtins.eval",
    "pickle.loads",
    "numpy.load",
    "torch.load",
    "torch.hub.load",
    "torch.nn.functional.relu",  # not a class
    "torch.optim.functional.adam",
    "torch.utils.cpp_extension.load",
    "shutil.rmtree",
    "planted.run",
    "variformer_evil.run",
    "variformer.models.gpt.nn.Linear",
    "variformer.models.gpt.partial",
    "variformer.data.cache.os.system",
    "variformer.config.build.instantiate",
    "variformer.run_directory.directory.write_json",
    "variformer.training.loggers.CSV",  # it writes where its argument says
    "variformer.data.cache.build_once",
    "variformer.config.checking.check.check",
    "variformer.models.GPT.forward",
    "variformer.models.GPT.__init__",
    "variformer.models._private",
    "variformer..models.GPT",
    "variformer",
    "lightning.pytorch.Trainer",
    "lightning.pytorch.callbacks.model_checkpoint.torch.load",
    "torchvision.transforms.v2.functional.resize",
    "torchvision.datasets.CIFAR10",
    "hydra.utils.instantiate",
    "hydra._internal.utils._locate",
    "",
    ["os", "system"],
]
PLACES = ["model", "model.positions", "callbacks.stop", "data.source"]

REFUSE = """
import copy, json, sys
from variformer.config import ConfigError, check, instantiate
from omegaconf import OmegaConf
import hydra.utils
configs = json.load(sys.stdin)
good, *bad = configs
check(good)
before = set(sys.modules)
for config in bad:
    model, hidden = config["model"], config["callbacks"]["hidden"]
    for run, argument in ((check, config), (instantiate, model), (instantiate, hidden)):
        try:
            run(argument)
        except ConfigError as error:
            assert "_target_" in str(error), error
        else:
            print("accepted:", config)
print("imported:", sorted(set(sys.modules) - before), "torch" in sys.modules)
"""


def test_forbidden_targets_are_refused_before_any_import(tmp_path):
    (tmp_path / "planted.py").write_text("def run(): ...")
    (tmp_path / "variformer_evil.py").write_text("def run(): ...")
    configs = [TEXT]
    for number, target in enumerate(FORBIDDEN):
        node = {"_target_": target}
        hidden = {"_target_": "torch.nn.Identity", "args": [node, {"deep": [node]}]}
        model = {"_target_": "variformer.models.GPT", "positions": node}
        place = PLACES[number % len(PLACES)]
        config = changed(changed(TEXT, "model", model), place, node)
        configs.append(changed(config, "callbacks.hidden", hidden))
    done = subprocess.run(
        [sys.executable, "-c", REFUSE],
        input=json.dumps(configs),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "imported: [] False\n"


@pytest.mark.parametrize("target", FORBIDDEN, ids=str)
@pytest.mark.parametrize("place", PLACES)
def test_a_forbidden_target_is_refused_at_its_key(target, place):
    found = problems(changed(TEXT, place, {"_target_": target}))
    assert found[0].startswith(f"{place}._target_: `")


@pytest.mark.parametrize("name", ["_args_", "_recursive_", "_convert_", "_anything_"])
def test_hydras_other_keys_are_refused(name):
    assert problems(changed(TEXT, f"model.positions.{name}", [])) == [
        f"model.positions.{name}: is not allowed; _target_ and _partial_ are"
    ]
    found = problems(changed(TEXT, f"callbacks.{name}", None))
    assert any(f"callbacks.{name}: means nothing" in line for line in found)


TIMED = """
import json, sys, time
from variformer.config import check
check(json.load(sys.stdin))
heavy = [name for name in ("torch", "lightning", "torchvision", "numpy") if name in sys.modules]
print(json.dumps([time.process_time(), heavy]))
"""


def test_a_check_takes_a_moment_and_imports_nothing_heavy():
    runs = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", TIMED], input=json.dumps(TEXT), capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout))
    assert min(seconds for seconds, _ in runs) < 1.5  # about 0.5 s of a quiet processor, most of it for pydantic
    assert all(heavy == [] for _, heavy in runs)
