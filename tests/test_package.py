"""The wheel in a fresh environment: everything works from another folder, without the repository.

The environment reaches the packages that the tests run with; of Variformer it has the wheel alone.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[1]
UV = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
SMALL = ["experiment=vit", "debug=fast", "max_steps=2", "trainer.progress=false"]
SCRIPT = """
import os, variformer
config = variformer.compose("experiment=mine", "debug=fast", "max_steps=2", "trainer.progress=false")
folder, run = os.getcwd(), variformer.train(config)
print(run)
assert run.status == "done" and max(run.curves["val/loss"]) == 2 and os.getcwd() == folder
assert {f"val/{k}": v for k, v in variformer.evaluate(run).items()} == run.metrics
print(type(run.load()[0]).__name__)
"""


def well(*words: str | Path, folder: Path, **settings: str) -> str:
    """What a command prints. AssertionError where it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "WANDB_SERVICE")}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=environment | {"OMP_NUM_THREADS": "1"} | settings,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def is_kept(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    well(UV, "build", "--quiet", "--python", sys.executable, "--out-dir", folder, ROOT, folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory) -> Path:
    """The folder of the programs in a fresh environment that has the wheel."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    well(UV, "venv", "--quiet", "--python", sys.executable, place, folder=wheel.parent)
    well(UV, "pip", "install", "--quiet", "--no-deps", "--python", place, wheel, folder=wheel.parent)
    (own,) = place.glob("lib/python*/site-packages")
    (own / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return place / "bin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def run(programs, folder) -> Path:
    """Trained by the installed command."""
    well(programs / "variformer", "train", *SMALL, folder=folder)
    (trained,) = (folder / "runs" / "vit").iterdir()
    return trained


def test_a_wheel_has_the_configs_and_says_that_it_is_typed(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = {f"variformer/{file.relative_to(ROOT)}" for file in (ROOT / "conf").rglob("*.yaml")}
    code = {str(file.relative_to(ROOT / "src")) for file in (ROOT / "src").rglob("*") if is_kept(file)}
    assert configs | code <= names and "variformer/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "conf/", "benchmarks/"))]


def test_the_environment_has_the_wheel_alone(programs, folder):
    code = "import variformer; from variformer.configs import packaged; print(variformer.__file__, packaged())"
    for place in well(programs / "python", "-c", code, folder=folder).split():
        assert Path(place).is_relative_to(programs.parent)


@pytest.mark.parametrize("words", [["variformer"], ["python", "-m", "variformer"]], ids=" ".join)
def test_the_command_and_the_module_answer(programs, folder, words):
    program, *others = words
    metadata = f"variformer-{well(programs / program, *others, '--version', folder=folder).strip()}.dist-info"
    assert list(programs.parent.glob(f"lib/python*/site-packages/{metadata}"))
    text = well(programs / program, *others, "train", "--help", folder=folder)
    assert f"Train one experiment: {' '.join(words)} train experiment=NAME" in text
    assert "== experiment=OPTION ==" in text


def test_a_run_is_trained_evaluated_exported_and_imported(programs, folder, run):
    command = programs / "variformer"
    record = json.loads((run / "run.json").read_text())["sessions"][0]
    assert record["code"] == {} and record["packages"]["variformer"]
    assert record["command"][1:3] == [str(command), "train"]
    assert (run / ".hydra" / "overrides.yaml").is_file() and (run / "train.log").is_file()
    assert "val/loss: " in well(command, "evaluate", f"run_dir={run}", folder=folder)
    well(command, "export", run, "exported", folder=folder)
    assert "parameters from exported" in well(command, "import", "exported", "imported", folder=folder)
    longer = well(command, "train", f"run_dir={run}", "resume=true", "max_steps=3", folder=folder)
    assert "max_steps: 2 until step 2, 3 from here on" in longer


def test_a_sweep_starts_its_trials(programs, folder):
    well(programs / "variformer", "train", "-m", *SMALL, "optimizer.lr=1e-3,1e-2", folder=folder)
    (sweep,) = (folder / "sweeps").iterdir()
    trials = [json.loads(file.read_text()) for file in sweep.glob("trials/*/trial.json")]
    assert [trial["status"] for trial in trials] == ["done"] * 2
    assert trials[0]["command"][1:3] == [str(programs / "variformer"), "train"]
    assert json.loads((sweep / "best.json").read_text())["command"].startswith("variformer train experiment=vit")


def test_a_search_becomes_a_file_for_wandb(programs, tmp_path):
    printed = well(programs / "variformer", "wandb-sweep", "bert_masking", folder=tmp_path)
    assert (tmp_path / printed.split()[-1]).read_text() == (ROOT / "conf/sweep/wandb/bert_masking.yaml").read_text()


def test_a_script_trains_what_lies_beside_it(programs, tmp_path):
    experiment = tmp_path / "conf" / "experiment" / "mine.yaml"
    experiment.parent.mkdir(parents=True)
    experiment.write_text("# @package _global_\ndefaults:\n  - vit\n  - _self_\nname: mine\nmax_steps: 2\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    said = well(programs / "python", "script.py", folder=tmp_path)
    assert said.rstrip().endswith("ViT")
    assert len(list((tmp_path / "runs" / "mine").iterdir())) == 1


def test_a_new_study_passes_its_test_and_is_swept(programs, tmp_path):
    well(programs / "variformer", "new", "my_study", folder=tmp_path)
    study = tmp_path / "my_study"
    well(programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=study)
    few = ["max_steps=2", "trainer.validate_every=2", "trainer.validation_samples=4", "trainer.progress=false"]
    well(programs / "variformer", "train", "-m", "experiment=my_study", *few, "objective.smoothing=0.1", folder=study)
    (trial,) = study.glob("sweeps/*/trials/*/trial.json")
    assert json.loads(trial.read_text())["status"] == "done"
