"""A folder with its own modelling code as our model again: loaded, imported, started from; its code is never run."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from typer.testing import CliRunner

import variformer
from variformer.cli.main import app
from variformer.config import ConfigError
from variformer.exchange.exporting import export
from variformer.exchange.importing import import_model
from variformer.runs.train import train

from .conftest import SYSTEMS, part

QUICK = [
    *("debug=fast", "compile=none", "tokenizer=bytes", "model.vocab_size=300", "length=32", "samples=none"),
    *("model.width=32", "model.heads=2", "model.hidden=64", "max_steps=2", "trainer.progress=false"),
]
BOMB = "import pathlib\npathlib.Path(__file__).with_name('exploded').touch()\n"

pytestmark = pytest.mark.usefixtures("no_picture_of_the_curves")


@pytest.fixture(scope="module")
def run(composed) -> Path:
    """Relative positions, which no BERT of transformers has."""
    config = composed("experiment=bert", "model/positions=relative", *QUICK)
    train(config)
    return Path(config["run_dir"])


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory) -> Path:
    """Its code would leave a file behind if it were run."""
    folder = export(run, tmp_path_factory.mktemp("exported") / "bert")
    for file in folder.glob("*.py"):
        file.write_text(BOMB)
    return folder


@pytest.fixture(autouse=True)
def nothing_was_run(folder):
    yield
    assert not (folder / "exploded").exists()


def equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_it_loads_as_the_run(run, folder):
    (model, tokenizer), (expected, other) = variformer.load(folder), variformer.load(run)
    assert equal(model, expected) and str(model) == str(expected) and not model.training
    assert tokenizer.fingerprint == other.fingerprint


def test_info_tells_what_it_is(folder):
    result = CliRunner().invoke(app, ["info", str(folder)])
    assert result.exit_code == 0 and "Bert" in result.stdout, result.stderr


def test_import_and_export_give_the_same_files(folder, tmp_path):
    run = import_model(str(folder), tmp_path / "run")
    assert equal(variformer.load(run.path)[0], variformer.load(folder)[0])
    assert yaml.safe_load(run.config.read_text())["model"] == json.loads((folder / "config.json").read_text())["model"]
    again = export(run.path, tmp_path / "again")
    before, after = (load_file(each / "model.safetensors") for each in (folder, again))
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert json.loads((again / file).read_text()) == json.loads((folder / file).read_text())


def test_a_run_starts_from_it(composed, folder):
    config = composed("experiment=bert", "model/positions=relative", *QUICK, f"init_from={folder}", "max_steps=1")
    train(config)
    assert (Path(config["run_dir"]) / "metrics.json").is_file()


def test_it_teaches(composed, folder):
    arguments = ["objective=token_distillation", f"objective.teacher={folder}", "objective.copied_layers=[0,1]"]
    tokenizer = ["tokenizer=pretrained", f"tokenizer.path={folder}"]
    quick = [each for each in QUICK if each != "tokenizer=bytes"]
    config = composed("experiment=bert", "model/positions=relative", *quick, *tokenizer, *arguments, "max_steps=1")
    train(config)
    record = json.loads((Path(config["run_dir"]) / "run.json").read_text())
    assert record["teacher"]["folder"] == str(folder.resolve())


@pytest.fixture
def copied(folder, tmp_path):
    """What to change in config.json -> a folder of its own."""

    def copy(**settings) -> Path:
        place = shutil.copytree(folder, tmp_path / "copied")
        values = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(values | settings))
        return place

    return copy


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"_target_": "os.system", "command": "touch exploded"}, r"config\.json: model\._target_: `os\.system` is not"),
        ({**SYSTEMS["bert"], "norm": {"_target_": "builtins.exec"}}, r"model\.norm\._target_: `builtins\.exec` is not"),
        ({**SYSTEMS["bert"], "width": "wide"}, r"config\.json: model\.width: "),
        ({**SYSTEMS["bert"], "wide": 12}, r"config\.json: model\.wide: unknown argument"),
        (None, r"config\.json: model: "),
        (part("LayerNorm", normalized_shape=4), r"config\.json: model: builds a partial, which is no model"),
    ],
)
@pytest.mark.parametrize("read", [variformer.load, lambda folder: import_model(str(folder), folder.parent / "run")])
def test_a_node_that_a_config_may_not_hold_is_refused(copied, model, reason, read):
    with pytest.raises(ConfigError, match=reason) as refused:
        read(copied(model=model))
    assert "\n" not in str(refused.value)


def test_tensors_of_another_model_are_refused(copied):
    with pytest.raises(ValueError, match=r"copied: the tensors do not fit the model in config\.json: .*Missing key"):
        variformer.load(copied(model=SYSTEMS["gpt"]))
