"""The commands as a user types them, as processes of their own."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..processes import ROOT, command, forked_command

FAMILIES = ["gpt", *(pytest.param(name, marks=pytest.mark.slow) for name in ("bert", "t5", "vit"))]


def metrics(run: Path, name: str) -> dict:
    return json.loads((run / name).read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("commands")


def train(name: str, folder: Path) -> Path:
    small = ["model.width=32", "model.hidden=64"]
    done = command("train.py", f"experiment={name}", "debug=fast", *small, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (folder / "runs" / name).iterdir()
    assert f"run directory: runs/{name}/{run.name}" in done.stdout
    return run


@pytest.fixture(scope="module")
def gpt(folder) -> Path:
    return train("gpt", folder)


@pytest.mark.parametrize("name", FAMILIES)
def test_training_leaves_a_complete_run_directory(name, folder, request):
    trained = request.getfixturevalue("gpt") if name == "gpt" else train(name, folder)
    assert {"config.yaml", "run.json", "status.json", "metrics.json", "metrics.csv", ".hydra"} <= {
        path.name for path in trained.iterdir()
    }
    assert metrics(trained, "status.json")["status"] == "done"
    record = metrics(trained, "run.json")
    assert record["schema"] == 1
    assert record["parameters"] > 1000
    assert record["sessions"][0]["packages"]["torch"]
    assert (trained / "checkpoints" / "last.ckpt").resolve().name == "step-00000004.ckpt"
    assert (trained / "checkpoints" / "best.ckpt").is_file()
    assert (trained / "figures" / "curves.png").stat().st_size > 5000
    if name != "vit":
        assert (trained / "tokenizer" / "tokenizer.json").is_file()
        assert len(list((trained / "samples").glob("step-*.txt"))) == 2


@pytest.mark.slow
def test_evaluation_equals_training_exactly(gpt):
    done = command("evaluate.py", f"run_dir={gpt}", folder=gpt.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    finished = {k: v for k, v in metrics(gpt, "metrics.json").items() if k.startswith("val/")}
    again = metrics(gpt, "metrics_val_last.json")
    assert finished == {f"val/{k}": v for k, v in again.items() if not isinstance(v, str)}


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["model.heads=7"], "model.heads"),
        (["model.dropuot=0.1"], "did you mean `dropout`?"),
        (["+modle.width=30"], "did you mean `model`?"),
        (["max_steps=ten"], "max_steps"),
        (["experiment=gtp"], "gpt"),
        (["run_dir=nowhere", "resume=true"], "nowhere"),
    ],
)
def test_a_config_error_is_reported_at_once(tmp_path, arguments, message):
    began = time.perf_counter()
    done = command("train.py", *arguments, folder=tmp_path)
    assert done.returncode != 0
    assert message in done.stderr + done.stdout
    assert "torch" not in done.stderr
    assert time.perf_counter() - began < 6  # 2 s on an idle machine; importing torch alone takes longer than this
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"]])
def test_questions_are_answered_without_heavy_imports(tmp_path, arguments):
    probe = f"""
import runpy, sys
sys.argv = ["train.py", *{arguments!r}]
try:
    runpy.run_path({str(ROOT / "train.py")!r}, run_name="__main__")
finally:
    print("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.rstrip().endswith("False"), done.stdout + done.stderr


def test_evaluation_of_what_is_not_there(tmp_path):
    done = command("evaluate.py", "run_dir=nowhere", folder=tmp_path)
    assert done.returncode == 2
    assert "run_dir=nowhere is not a run" in done.stderr


def test_a_failed_run_says_so(tmp_path):
    missing = ["data=text_files", "data.source.train=missing.txt"]
    done = forked_command("train.py", "experiment=gpt", "debug=fast", *missing, folder=tmp_path)
    assert done.returncode != 0
    (run,) = (tmp_path / "runs" / "gpt").iterdir()
    status = metrics(run, "status.json")
    assert status["status"] == "failed"
    assert "missing.txt" in status["error"]
