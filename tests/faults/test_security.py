"""Nothing that is loaded can run code, and nothing secret is written."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml

import variformer
from variformer.config import ConfigError
from variformer.run_directory.checkpoint_files import checksum_of, sha256
from variformer.run_directory.directory import RunDirectory
from variformer.runs.evaluate import evaluate_run
from variformer.runs.train import train
from variformer.training.resuming.checkpoint_io import WholeCheckpointIO

QUICK = [
    *("debug=fast", "tokenizer=bytes", "model.vocab_size=300", "length=32", "samples=none"),
    *("model.width=32", "model.heads=2", "model.hidden=64", "max_steps=2", "trainer.progress=false"),
]
SECRETS = {
    "WANDB_API_KEY": "local-0123456789abcdef0123456789abcdef01234567",
    "HF_TOKEN": "hf_PlantedPlantedPlantedPlantedPlanted",
    "AWS_SECRET_ACCESS_KEY": "wJalrPlantedPlanted/K7MDENG/bPxRfiCYPLANTED",
}
FORBIDDEN = [
    *("os.system", "subprocess.run", "builtins.eval", "builtins.exec", "torch.load", "torch.hub.load", "numpy.load"),
    *("pickle.load", "shutil.rmtree", "importlib.import_module", "hydra.utils.instantiate", "variformer.load"),
    *("variformer.data.cache.os.system", "variformer.run_directory.directory.write_json"),
    *("variformer.training.loggers.CSV", "variformer.weights.files.remove_weights"),
]


class Bomb:
    """A pickle that leaves a file where it is read."""

    def __reduce__(self):
        return Path.touch, (Path("exploded").absolute(),)


pytestmark = pytest.mark.usefixtures("no_picture_of_the_curves")


@pytest.fixture(scope="module")
def bert(composed):
    config = composed("experiment=bert", *QUICK)
    train(config)
    return config


@pytest.fixture
def run(bert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return RunDirectory(shutil.copytree(bert["run_dir"], tmp_path / "run", symlinks=True))


def plant(file: Path) -> None:
    """A malicious file in its place, with the right sum: someone who can write the file can write its sum too."""
    file.unlink(missing_ok=True)
    torch.save({"state_dict": Bomb()}, file)
    checksum_of(file).unlink(missing_ok=True)
    checksum_of(file).write_text(sha256(file.read_bytes()).hexdigest())


def exploded() -> bool:
    return Path("exploded").exists()


def resume(run: RunDirectory, bert: dict) -> None:
    for file in run.checkpoints.glob("step-*.ckpt"):
        plant(file)
    train(bert | {"run_dir": str(run.path), "resume": True, "max_steps": 4})


def evaluate_last(run: RunDirectory, bert: dict) -> None:
    plant(run.checkpoints / "last.ckpt")
    evaluate_run(str(run.path))


def evaluate_best(run: RunDirectory, bert: dict) -> None:
    plant(run.checkpoints / "best.ckpt")
    evaluate_run(str(run.path), checkpoint="best")


def load_last(run: RunDirectory, bert: dict) -> None:
    plant(run.checkpoints / "last.ckpt")
    variformer.load(run.path)


def start_from_a_run(run: RunDirectory, bert: dict) -> None:
    plant(run.checkpoints / "last.ckpt")
    train(bert | {"run_dir": str(run.path.parent / "new"), "init_from": str(run.path)})


def start_from_a_folder(run: RunDirectory, bert: dict) -> None:
    folder = run.path.parent / "downloaded"
    folder.mkdir()
    settings = {"model_type": "bert", "vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2}
    settings |= {"num_attention_heads": 2, "intermediate_size": 64, "architectures": ["BertForMaskedLM"]}
    (folder / "config.json").write_text(json.dumps(settings))
    torch.save({"bert.embeddings.word_embeddings.weight": Bomb()}, folder / "pytorch_model.bin")
    train(bert | {"run_dir": str(run.path.parent / "new"), "init_from": str(folder)})


def learn_from_a_teacher(run: RunDirectory, bert: dict) -> None:
    plant(run.checkpoints / "best.ckpt")
    task = {"_target_": "variformer.objectives.masked_tokens.MaskedTokens", "_partial_": True}
    objective = {"_target_": "variformer.objectives.token_distillation.TokenDistillation", "_partial_": True}
    objective |= {"teacher": str(run.path), "task": task}
    train(bert | {"objective": objective, "run_dir": str(run.path.parent / "new")})


PLACES = [
    *(resume, evaluate_last, evaluate_best, load_last, start_from_a_run, start_from_a_folder, learn_from_a_teacher),
]


@pytest.mark.parametrize("forced", [False, True], ids=["", "forced"])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_malicious_pickle_is_refused_and_never_run(run, bert, monkeypatch, place, forced):
    """Also where the environment tells torch to load unsafely."""
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(ValueError, match=r"run code") as refused:
        place(run, bert)
    assert not exploded()
    assert "weights_only=False" not in str(refused.value)  # torch's own message recommends it


def test_the_bomb_would_explode(run):
    """The negative control."""
    torch.save({"state_dict": Bomb()}, "bad.ckpt")
    torch.load("bad.ckpt", weights_only=False)
    assert exploded()


def rewritten(run: RunDirectory, change) -> None:
    config = yaml.safe_load(run.config.read_text())
    change(config)
    run.config.write_text(yaml.safe_dump(config))


def evaluated(run, bert):
    evaluate_run(str(run.path))


def loaded(run, bert):
    variformer.load(run.path)


def exported(run, bert):
    from variformer.exchange.exporting import export

    export(run.path, run.path.parent / "out")


def resumed(run, bert):
    variformer.compose(f"run_dir={run.path}", "resume=true", "max_steps=4")


def repeated(run, bert):
    variformer.compose(f"repeat={run.path}")


def started_from(run, bert):
    train(bert | {"run_dir": str(run.path.parent / "new"), "init_from": str(run.path)})


def taught_by(run, bert):
    task = {"_target_": "variformer.objectives.masked_tokens.MaskedTokens", "_partial_": True}
    objective = {"_target_": "variformer.objectives.token_distillation.TokenDistillation", "_partial_": True}
    objective |= {"teacher": str(run.path), "task": task}
    train(bert | {"objective": objective, "run_dir": str(run.path.parent / "new")})


DOORS = [evaluated, loaded, exported, resumed, repeated, started_from, taught_by]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_sent_run_imports_no_class_that_it_brings(nothing_allowed, run, bert, monkeypatch, door):
    """It has a package, a conf/ that allows it, a record of installation that does, and is the working directory."""
    node = {"_target_": "evil.Model", "size": 3}
    rewritten(run, lambda config: config.update(model=node))
    record = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps(record | {"config": record["config"] | {"model": node}}))
    for name, text in {
        "evil/__init__.py": "from pathlib import Path\nPath('exploded').touch()\nclass Model: ...\n",
        "conf/study.yaml": "allow: [evil]\n",
        "evil-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1\nRequires-Dist: variformer\n",
        "evil-1.dist-info/entry_points.txt": "[variformer.targets]\nevil = evil\n",
        "evil-1.dist-info/RECORD": "evil/__init__.py,,\n",
    }.items():
        (run.path / name).parent.mkdir(exist_ok=True)
        (run.path / name).write_text(text)
    monkeypatch.chdir(run.path)
    monkeypatch.syspath_prepend(run.path)  # as `python -m variformer` has it
    with pytest.raises(ValueError, match=r"model\._target_: `evil\.Model` is not allowed: .*allow=evil") as refused:
        door(run, bert)
    assert "\n" not in str(refused.value) and "VARIFORMER_ALLOW=evil" in str(refused.value)
    assert not exploded() and "evil" not in sys.modules


@pytest.mark.parametrize("target", FORBIDDEN)
def test_a_forbidden_target_in_a_runs_config_is_refused(run, target):
    rewritten(run, lambda config: config["model"].update(positions={"_target_": target, "path": "exploded"}))
    for read in (evaluate_run, variformer.load):
        with pytest.raises(ConfigError, match=r"model\.positions\._target_: `.*` is not allowed|has no module"):
            read(str(run.path))
    assert not exploded()


def test_a_runs_config_cannot_read_the_environment(run, monkeypatch):
    """Written so that it cannot be seen in the file's text."""
    monkeypatch.setenv("HF_TOKEN", SECRETS["HF_TOKEN"])
    run.config.write_text(run.config.read_text().replace("name: bert", 'name: "\\x24{oc.env:HF_TOKEN}"'))
    assert "${" not in run.config.read_text() and "oc.env" in run.config.read_text()
    with pytest.raises(ConfigError, match="only plain values"):
        evaluate_run(str(run.path))


def test_keys_and_tokens_of_the_environment_reach_no_file(composed, monkeypatch):
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("WANDB_MODE", "offline")
    config = composed("experiment=gpt", *QUICK, "logger=[wandb,tensorboard]")
    train(config)
    files = [path for path in Path(config["run_dir"]).rglob("*") if path.is_file()]
    assert {"run.json", "config.yaml", "last.ckpt", "metrics.csv"} <= {path.name for path in files}
    assert any(path.suffix == ".wandb" for path in files) and any("tfevents" in path.name for path in files)
    leaks = [
        f"{name} in {path}"
        for path in files
        for name, secret in SECRETS.items()
        if any(part in path.read_bytes() for part in (secret.encode(), secret[8:].encode()))
    ]
    assert leaks == []


def test_what_is_planted_would_be_found(run):
    """The negative control: strings lie in a checkpoint as they are."""
    file = run.checkpoints / "step-00000009.ckpt"
    WholeCheckpointIO().save_checkpoint({"kept": dict(SECRETS), "weights": torch.zeros(9)}, file)
    assert all(secret.encode() in file.read_bytes() for secret in SECRETS.values())
