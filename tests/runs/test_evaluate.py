"""A run is scored on its own data, wherever the command is given; other data are refused or set apart."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from variformer.config import ConfigError
from variformer.exchange.measured import measured
from variformer.run_directory.directory import RunDirectory
from variformer.runs.evaluate import evaluate_run
from variformer.runs.train import train

SMALL = ["experiment=gpt", "debug=fast", "tokenizer=bytes", "model.vocab_size=300", "length=32", "max_steps=2"]
SMALL += ["data=text_files", "callbacks.throughput=null", "samples=none"]


def write(path: Path, letters: str) -> None:
    """Sixty documents."""
    path.parent.mkdir(exist_ok=True)
    lines = [json.dumps({"text": f"{number} {letters} " * 20}) for number in range(60)]
    path.write_text("\n".join(lines))


@pytest.fixture(scope="module")
def trained(composed, tmp_path_factory) -> Path:
    """The run directory of a run that was given a relative path; its file is one/data.jsonl beside it."""
    folder = tmp_path_factory.mktemp("trained")
    write(folder / "one" / "data.jsonl", "abc")
    write(folder / "two" / "data.jsonl", "xyz")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "one")
        config = composed(*SMALL, "data.source.train=data.jsonl", "data.cache=../cache")
        train(config)
    return shutil.copytree(config["run_dir"], folder / "run", symlinks=True)


@pytest.fixture
def edited(trained):
    """The run, whose file is another one meanwhile."""
    file = trained.parent / "one" / "data.jsonl"
    before = file.read_text()
    write(file, "edited")
    for kept in trained.glob("metrics_*.json"):
        kept.unlink()
    yield trained
    file.write_text(before)


def record(run: Path) -> dict:
    return json.loads((run / "run.json").read_text())


def at_the_end(run: Path) -> dict:
    values = json.loads((run / "metrics.json").read_text())
    return {name.removeprefix("val/"): value for name, value in values.items() if name.startswith("val/")}


def test_another_folder_reads_the_same_files(trained, monkeypatch):
    monkeypatch.chdir(trained.parent / "two")
    assert evaluate_run("../run") == at_the_end(trained)
    file = str(trained.parent / "one" / "data.jsonl")
    kept = [yaml.safe_load((trained / "config.yaml").read_text()), record(trained)["config"]]
    assert [config["data"]["source"]["train"] for config in kept] == [file, file]
    assert file in record(trained)["data"]["parts"]


def test_an_edited_file_is_refused_by_name(edited):
    with pytest.raises(ValueError) as refused:
        evaluate_run(str(edited))
    line = str(refused.value)
    assert "\n" not in line and "changed: " in line and "one/data.jsonl" in line
    assert "fingerprint " in line and "data_anyway=true" in line
    assert not list(edited.glob("metrics_*"))


def test_other_data_are_scored_into_a_file_of_their_own(edited, capsys):
    metrics = evaluate_run(str(edited), data_anyway=True)
    assert [file.name for file in edited.glob("metrics_*")] == ["metrics_val_last_other_data.json"]
    kept = json.loads((edited / "metrics_val_last_other_data.json").read_text())
    assert kept["loss"] == metrics["loss"] != at_the_end(edited)["loss"]
    said = capsys.readouterr().err
    assert "changed: " in said and "metrics_val_last_other_data.json" in said
    assert measured(RunDirectory(edited), "last") == {"val": at_the_end(edited)}  # what export and info show


def test_a_missing_file_is_named(trained):
    file = trained.parent / "one" / "data.jsonl"
    away = file.rename(file.with_name("data.away"))
    try:
        with pytest.raises(ConfigError, match=r"^data: no file matches .*one/data\.jsonl"):
            evaluate_run(str(trained))
        moved = shutil.copy(away, trained.parent / "moved.jsonl")
        metrics = evaluate_run(str(trained), data={"source": {"train": str(moved)}})
        assert metrics == at_the_end(trained)
        with pytest.raises(ConfigError, match=r"data\.source\.trian: unknown argument"):
            evaluate_run(str(trained), data={"source": {"trian": str(moved)}})
    finally:
        away.rename(file)


def test_a_run_does_not_go_on_with_an_edited_file(edited):
    config = record(edited)["config"] | {"run_dir": str(edited), "resume": True, "max_steps": 4}
    with pytest.raises(ConfigError, match=r"changed: .*one/data\.jsonl.*Bring them back, or start a new run"):
        train(config)


def test_a_run_of_before_is_scored_where_its_paths_lead(trained, tmp_path, monkeypatch):
    """Its record has neither absolute paths nor the parts of its data."""
    run, kept = shutil.copytree(trained, tmp_path / "run", symlinks=True), record(trained)
    config = yaml.safe_load((run / "config.yaml").read_text())
    for each in (config, kept["config"]):
        each["data"]["source"]["train"] = "data.jsonl"
    del kept["data"]["parts"]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "run.json").write_text(json.dumps(kept))
    monkeypatch.chdir(trained.parent / "one")
    assert evaluate_run(str(run)) == at_the_end(trained)
    monkeypatch.chdir(trained.parent / "two")
    with pytest.raises(ValueError, match=r"train: [\d,]+ bytes then, [\d,]+ now|fingerprint"):
        evaluate_run(str(run))


def test_metrics_of_other_data_or_weights_are_not_shown(trained, caplog):
    evaluate_run(str(trained), split="test")
    run, file = RunDirectory(trained), trained / "metrics_test_last.json"
    kept = json.loads(file.read_text())
    shown = {name: value for name, value in kept.items() if not isinstance(value, str)}
    assert measured(run, "last")["test"] == shown and "loss" in shown
    for name in ("data", "weights"):
        file.write_text(json.dumps(kept | {name: "0" * 64}))
        assert "test" not in measured(run, "last")
        assert f"was measured with other {name}" in caplog.text
    file.write_text(json.dumps({"split": "test", "checkpoint": "last"} | shown))  # as versions before wrote it
    assert measured(run, "last")["test"] == shown
    file.unlink()


def test_what_cannot_be_written_is_still_answered(trained, capsys):
    (trained / "metrics_val_best.json").mkdir()
    metrics = evaluate_run(str(trained), checkpoint="best")
    (trained / "metrics_val_best.json").rmdir()
    assert metrics["loss"] > 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "metrics_val_best.json was not written: " in line


def test_without_rows_there_are_no_intervals(trained, capsys):
    metrics = evaluate_run(str(trained), bootstrap=10)
    assert metrics["loss"] > 0 and metrics.intervals == {}
    assert "bootstrap=10: NextToken keeps no rows of samples, so that there are no" in capsys.readouterr().err
    assert not (trained / "evaluations").exists()
    with pytest.raises(ValueError, match="bootstrap=0 must be positive"):
        evaluate_run(str(trained), bootstrap=0)


def test_a_config_that_does_not_fit_the_weights_is_refused(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run", symlinks=True)
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("vocab_size: 300", "vocab_size: 301"))
    with pytest.raises(ValueError, match=r"the weights of last are not those of the model in config\.yaml") as refused:
        evaluate_run(str(run))
    assert "\n" not in str(refused.value)
