"""`variformer predict`: a line for each row in the order of the file, whatever the batches; and how it goes on."""

import csv
import json
import random
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from typer.testing import CliRunner

from variformer.cli.main import app
from variformer.config import build_model, instantiate
from variformer.exchange.importing import save_weights
from variformer.objectives import SequenceClassification
from variformer.run_directory.directory import RunDirectory
from variformer.runs import predict as module
from variformer.runs.predict import predict

LABELS = ["delivery", "refund", "thanks"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    """Two hundred texts of unequal lengths, with a column of labels that the run does not know."""
    draw, file = random.Random(1), tmp_path_factory.mktemp("rows") / "mails.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["mail", "label"])
        for number in range(200):
            words = draw.choices(["late", "parcel", "money", "naïve café", "two\nlines", "😀"], k=draw.randint(1, 30))
            writer.writerow([" ".join([str(number), *words]), "of another task"])
    return file


def run_of(composed, objective: str, classes: int, **data) -> Path:
    """The directory that tuning for no step would leave."""
    sizes = ["model/size=nano", "model.vocab_size=270", "length=32", "tokenizer=bytes", "data=labelled_files"]
    task = ["head=last_token" if objective == "sequence_classification" else "head=first_token"]
    model = ["model=gpt"] if objective == "sequence_classification" else ["model=bert", "model.vocab_size=270"]
    config = composed(
        "experiment=gpt", *model, *sizes, *task, f"objective={objective}", "data.source.train=gone.csv",
        "data.source.columns.text=mail", "data.source.columns.label=about", f"+head.classes={classes}",
        "optimizer=adamw", "samples=none",
    )  # fmt: skip
    config["data"] |= data
    run = RunDirectory(config["run_dir"])
    torch.manual_seed(0)
    model = build_model(config)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.add_(torch.randn_like(tensor) * 0.1)
    save_weights(model, run)
    instantiate(config["tokenizer"], "tokenizer").train([]).save(run.tokenizer)
    OmegaConf.save(OmegaConf.create(config), run.config)
    run.set_record(name="tuned", seed=0)
    run.set_status("done")
    return run.path


@pytest.fixture(scope="module")
def run(composed) -> Path:
    return run_of(composed, "sequence_classification", len(LABELS), labels=LABELS)


@pytest.fixture(scope="module")
def expected(run, rows, tmp_path_factory) -> list[dict]:
    """One row at a time."""
    out = tmp_path_factory.mktemp("out") / "out.jsonl"
    predict(str(run), str(rows), out, batch=1)
    return [json.loads(line) for line in out.read_text().splitlines()]


def close(found: list[dict], expected: list[dict]) -> bool:
    return len(found) == len(expected) and all(
        one["name"] == other["name"] and one["scores"] == pytest.approx(other["scores"], abs=1e-6)
        for one, other in zip(found, expected, strict=True)
    )


def test_each_row_has_its_line_in_the_file_s_order(run, rows, expected):
    lines = [int(each["name"].rpartition(":")[2]) for each in expected]
    assert len(lines) == 200 and lines == sorted(lines) and expected[0]["name"] == f"{rows}:2"
    for each in expected:
        assert each["scores"].keys() == set(LABELS) and sum(each["scores"].values()) == pytest.approx(1, abs=1e-5)
        assert each["score"] == max(each["scores"].values()) == each["scores"][each["label"]]


@pytest.mark.parametrize("batch", [7, 64, 1000])
def test_the_answers_do_not_depend_on_the_batch(run, rows, expected, tmp_path, monkeypatch, batch):
    monkeypatch.setattr(module, "WINDOW", 2)
    assert predict(str(run), str(rows), tmp_path / "out.jsonl", batch=batch) == 200
    assert close([json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()], expected)


@pytest.mark.parametrize(("suffix", "broken"), [(".jsonl", '{"name": "half a li'), (".csv", "")])
def test_it_goes_on_behind_the_last_whole_line(run, rows, tmp_path, monkeypatch, suffix, broken):
    monkeypatch.setattr(module, "WINDOW", 2)
    whole, part = tmp_path / f"whole{suffix}", tmp_path / f"part{suffix}"
    predict(str(run), str(rows), whole, batch=8)
    lines = whole.read_bytes().splitlines(keepends=True)
    part.write_bytes(b"".join(lines[: 32 + (suffix == ".csv")]) + broken.encode())
    assert predict(str(run), str(rows), part, batch=8, continues=True) == 200
    assert part.read_bytes() == whole.read_bytes()
    assert predict(str(run), str(rows), part, batch=8, continues=True) == 200
    assert part.read_bytes() == whole.read_bytes()


def test_a_window_is_on_disk_before_the_next_one_is_read(run, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 2)
    seen, answer = [], SequenceClassification.answer

    def watched(self, model, batch):
        seen.append(len((tmp_path / "out.jsonl").read_text().splitlines()))
        return answer(self, model, batch)

    monkeypatch.setattr(SequenceClassification, "answer", watched)
    predict(str(run), str(rows), tmp_path / "out.jsonl", batch=10)
    assert seen == [count for window in range(10) for count in [20 * window] * 2]


def test_a_csv_has_the_same_answers(run, rows, expected, tmp_path):
    predict(str(run), str(rows), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        found = [{**row, "scores": json.loads(row["scores"])} for row in csv.DictReader(file)]
    assert close(found, expected) and [row["label"] for row in found] == [row["label"] for row in expected]


def test_values_have_the_unit_of_the_data(composed, rows, tmp_path):
    plain = run_of(composed, "sequence_regression", 1, scale=[0.0, 1.0])
    scaled = run_of(composed, "sequence_regression", 1, scale=[50.0, 10.0])
    values = {}
    for run in (plain, scaled):
        predict(str(run), str(rows), tmp_path / f"{run.name}.jsonl")
        values[run] = [json.loads(line)["value"] for line in (tmp_path / f"{run.name}.jsonl").read_text().splitlines()]
    assert values[scaled] == pytest.approx([50 + 10 * value for value in values[plain]], rel=1e-4)


def test_the_command_says_what_is_wrong(run, rows, tmp_path):
    out = tmp_path / "out.jsonl"

    def said(*words: str) -> str:
        result = CliRunner().invoke(app, ["predict", str(run), *words])
        assert result.exit_code == 2
        return result.stderr

    assert "give a name that ends in .jsonl or .csv" in said(str(rows), "--out", str(tmp_path / "out.txt"))
    assert "no column 'text'; there are: mail, label" in said(str(rows), "--out", str(out), "--columns", "text=text")
    assert "--columns: give FIELD=COLUMN" in said(str(rows), "--out", str(out), "--columns", "text")
    (tmp_path / "empty.csv").write_text("mail\n")
    assert "has no rows" in said(str(tmp_path / "empty.csv"), "--out", str(out))
    out.write_text('{"name": "other.csv:2"}\n')
    assert "exists: go on with --continue, or choose another name" in said(str(rows), "--out", str(out))
    assert "goes up to other.csv:2, which is not row 1 of this" in said(str(rows), "--out", str(out), "--continue")
    (tmp_path / "bad.csv").write_text("mail\nfine\n  \n")
    out.unlink()
    assert "bad.csv:3: empty text" in said(str(tmp_path / "bad.csv"), "--out", str(out))


def test_the_command_counts_its_lines(run, rows, tmp_path):
    result = CliRunner().invoke(app, ["predict", str(run), str(rows), "--out", str(tmp_path / "a" / "out.jsonl")])
    assert result.exit_code == 0 and "200 rows" in result.stdout
    assert "rows are longer than the model reads, and were cut" in result.stderr


def test_a_model_without_a_task_is_refused(composed, rows, tmp_path, run):
    config = OmegaConf.load(run / "config.yaml")
    config.objective = {"_target_": "variformer.objectives.next_token.NextToken", "_partial_": True}
    config.head, config.data = None, {"_target_": "variformer.data.TextData", "_partial_": True}
    config.data.source = {"_target_": "variformer.data.PythonDocs"}
    body = tmp_path / "body"
    torch.manual_seed(0)
    save_weights(build_model(OmegaConf.to_container(config)), RunDirectory(body))
    OmegaConf.save(config, body / "config.yaml")
    (body / "tokenizer").symlink_to(run / "tokenizer")
    with pytest.raises(ValueError, match=r"NextToken has no answers to rows; tune the model for a task"):
        predict(str(body), str(rows), tmp_path / "out.jsonl")
