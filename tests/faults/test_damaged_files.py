"""`variformer import|export|info` of damaged files and of folders that cannot be written: one line, nothing left."""

import errno
import os
import shutil
from pathlib import Path

import pytest
import transformers as hf
from typer.testing import CliRunner

from variformer.cli.main import app
from variformer.data import WordPiece
from variformer.exchange import folders

BERT = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12, vocab_size=60)


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    hf.BertForPreTraining(hf.BertConfig(**BERT, max_position_embeddings=9)).save_pretrained(folder)
    WordPiece(60).train(["some words"] * 5).save(folder)
    return folder


@pytest.fixture(scope="module")
def imported(published, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("imported") / "run"
    assert CliRunner().invoke(app, ["import", str(published), str(run)]).exit_code == 0
    return run


def refused(*arguments: str | Path) -> str:
    """The one line of a command that fails."""
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit), result.exception
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])


def indexed(content: str):
    def damage(file: Path) -> None:
        file.with_name("model.safetensors").unlink()
        file.write_text(content)

    return damage


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model.safetensors", cut, "is damaged"),
        ("config.json", cut, "is damaged"),
        ("config.json", lambda file: file.write_text("[1, 2]"), "holds a list"),
        ("tokenizer.json", cut, "is damaged"),
        ("tokenizer_config.json", cut, "is damaged"),
        ("special_tokens_map.json", lambda file: file.write_text("[1]"), "holds a list"),
        ("preprocessor_config.json", lambda file: file.write_text("[1"), "is damaged"),
        ("generation_config.json", lambda file: file.write_text(""), "is damaged"),
        ("model.safetensors.index.json", indexed("{}"), "is damaged (its weight_map names no files)"),
        ("model.safetensors.index.json", indexed('{"weight_map": {"a": 3}}'), "is damaged (its weight_map names no"),
        ("model.safetensors.index.json", indexed('{"weight_map": 3'), "is damaged"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_an_import_names_the_damaged_file(name, damage, message, published, tmp_path):
    source = shutil.copytree(published, tmp_path / "source")
    damage(source / name)
    assert f"{source / name} {message}" in refused("import", source, tmp_path / "run")
    assert [each.name for each in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("config.yaml", "a: [1"), ("config.yaml", "[1, 2]"), ("config.yaml", "\x00"), ("run.json", "{")],
)
def test_the_damaged_file_of_a_run_is_named(name, content, imported, tmp_path):
    run = shutil.copytree(imported, tmp_path / "run", symlinks=True)
    (run / name).write_text(content)
    for command in (["info", run], ["export", run, tmp_path / "model"]):
        assert str(run / name) in refused(*command)
    assert not (tmp_path / "model").exists()


def test_a_run_without_weights_is_no_export(imported, tmp_path):
    run = shutil.copytree(imported, tmp_path / "run", symlinks=True)
    shutil.rmtree(run / "checkpoints")
    message = refused("export", run, tmp_path / "model")
    assert "no checkpoint last.ckpt" in message and "the run has saved no weights; train it longer" in message
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("command", ["import", "export"])
def test_a_folder_below_a_file_is_refused(command, published, imported, tmp_path):
    (tmp_path / "notes").write_text("mine")
    source = published if command == "import" else imported
    target = tmp_path / "notes" / "model"
    assert f"cannot be written: {tmp_path / 'notes'} is a file; choose another" in refused(command, source, target)
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_file_is_no_folder_to_export_to(imported, tmp_path):
    (tmp_path / "notes").write_text("mine")
    assert f"{tmp_path / 'notes'} cannot be written: " in refused("export", imported, tmp_path / "notes")


@pytest.mark.parametrize("command", ["import", "export"])
def test_a_read_only_folder_is_refused_before_any_work(command, published, imported, tmp_path, monkeypatch):
    def mkdtemp(dir: Path, **_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), f"{dir}/.variformer1")

    def work(*_, **__):
        raise AssertionError("the model was read")

    source = published if command == "import" else imported
    monkeypatch.setattr(folders.tempfile, "mkdtemp", mkdtemp)  # for tests as root, to whom nothing is forbidden
    monkeypatch.setattr("variformer.weights.huggingface.read", work)
    monkeypatch.setattr("variformer.exchange.exporting.load_run", work)
    message = refused(command, source, tmp_path / "model")
    assert f"cannot be written: {tmp_path}: Permission denied; choose another folder" in message
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_in_a_read_only_one_is_written(imported, tmp_path, monkeypatch):
    """As where a container has one folder to write into."""
    target = tmp_path / "mounted"
    target.mkdir()
    made = []
    mkdir = Path.mkdir
    monkeypatch.setattr(Path, "mkdir", lambda self, *a, **k: (made.append(self), mkdir(self, *a, **k))[1])
    result = CliRunner().invoke(app, ["export", str(imported), str(target)])
    assert result.exit_code == 0, result.stderr
    assert made and all(target in (each, *each.parents) for each in made)
    assert not [each.name for each in target.iterdir() if each.name.startswith(".")]
