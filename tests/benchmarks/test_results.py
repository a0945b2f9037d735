"""Files of results: what they hold, how they are written into texts, and when they are outdated."""

import json
import subprocess

import experiments
import pytest
import results
import written
import yaml
from results import Result

ENVIRONMENT = {
    "python": "3.11.7",
    "packages": {"torch": "2.15.0"},
    "hardware": {"cpu": "Intel(R) Xeon(R)", "cores": 2, "threads": 2, "gpus": []},
    "code": {"commit": None, "dirty": False},
}
VALUES = {
    "parameters": 1_100_000,
    "steps": 1150,
    "seconds": 290.4,
    "seed": 0,
    "metrics": {"masked_accuracy": 0.3281, "masked_loss": 3.8},
    "baselines": {"masked_accuracy": {"always '.'": 0.0721}},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Two commits: one to src, one to a file that no result depends on. -> their ids."""
    root = tmp_path / "repository"
    (root / "src").mkdir(parents=True)
    monkeypatch.setattr(results, "ROOT", root)

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    commits = []
    for name in ("src/first.py", "src/second.py", "notes.md"):
        (root / name).write_text(name)
        git("add", name)
        git("commit", "-q", "-m", name)
        commits.append(git("rev-parse", "HEAD"))
    return commits


def test_a_result_is_the_same_after_reading(folder):
    result = Result("a", "python train.py", VALUES, ENVIRONMENT, {"node": {}, "fingerprint": "x"})
    result.write()
    assert results.load("a") == result
    with pytest.raises(FileNotFoundError, match=r"b\.json is missing"):
        results.load("b")


def test_a_result_older_than_the_code_says_so(repository):
    def reasons(commit):
        return list(results.outdated(Result("a", "", {}, ENVIRONMENT | {"code": {"commit": commit, "dirty": False}})))

    assert ["older than the code: 1 commits" in reason for reason in reasons(repository[0])] == [True]
    assert reasons(repository[1]) == []
    assert reasons("0" * 40) == []  # a shallow clone does not know it


def test_a_result_of_changed_files_says_so():
    changed = ENVIRONMENT | {"code": {"commit": None, "dirty": True}}
    assert list(results.outdated(Result("a", "", {}, changed))) == ["measured with changes that are in no commit"]


def test_a_result_older_than_its_data_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("VARIFORMER_CACHE", str(tmp_path / "cache"))
    text = tmp_path / "a.txt"
    text.write_text("one")
    node = {"_target_": "variformer.data.TextFiles", "train": str(text)}
    result = Result("a", "", {}, ENVIRONMENT, {"node": node, "fingerprint": results.source_fingerprint(node)})
    assert list(results.outdated(result)) == []
    text.write_text("two, which is longer")
    assert list(results.outdated(result)) == ["older than the data: the source has another fingerprint now"]


def test_the_head_of_an_experiment_says_what_was_measured():
    head = written.experiment_head(Result("experiment_bert", "", VALUES, ENVIRONMENT))
    assert head == (
        "# Cost: 4 min 50 s after the start of Python, on 2 cores of Intel Xeon, torch 2.15.0, Python 3.11.7, seed 0.\n"
        "# Result on the validation split: accuracy of masked tokens 0.328 (always '.' 0.072).\n"
    )
    assert written.COST.fullmatch(head)


def test_the_head_alone_is_replaced():
    text = "# What it is.\n#\n# Cost: 1 s.\n# Result: 0.1,\n# and more.\n#\n# A note.\nname: a\n"
    assert written.COST.sub("# Cost: new\n", text) == "# What it is.\n#\n# Cost: new\n#\n# A note.\nname: a\n"


def test_a_runs_result_holds_metrics_and_baselines(tmp_path, monkeypatch):
    run = tmp_path / "run"
    run.mkdir()
    source = {"_target_": "variformer.data.PythonDocs"}
    (run / "config.yaml").write_text(yaml.safe_dump({"name": "bert", "seed": 0, "data": {"source": source}}))
    with pytest.raises(FileNotFoundError, match="is not finished"):
        experiments.measured(run)
    (run / "metrics.json").write_text(json.dumps({"step": 3, "seconds": 1.5, "val/masked_accuracy": 0.5}))
    command = ["/usr/bin/python", "/a/train.py", "experiment=bert", "objective.teacher=/b", "run_dir=/there"]
    record = {"parameters": 7, "sessions": [ENVIRONMENT | {"command": command}]}
    (run / "run.json").write_text(json.dumps(record))
    monkeypatch.setattr(experiments, "baselines", lambda run, metrics: {"masked_accuracy": {"always '.'": 0.1}})
    result = experiments.measured(run)
    assert (result.name, result.command) == ("experiment_bert", "python train.py experiment=bert objective.teacher=RUN")
    installed = ["/usr/bin/python", "/venv/bin/variformer", "train", "experiment=bert"]
    assert experiments.command_of(installed) == "variformer train experiment=bert"
    assert result.values["metrics"] == {"masked_accuracy": 0.5}
    assert [words for _, words, _ in written.shown_metrics(result.values)] == ["accuracy of masked tokens"]
    assert list(results.outdated(result)) == []
