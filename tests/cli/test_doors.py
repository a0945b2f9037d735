"""`variformer train` and `python train.py` are two doors to the same command."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from variformer.cli import commands
from variformer.cli.main import app

PROBE = """
import runpy, sys
sys.argv = ["variformer", *{arguments!r}]
try:
    runpy.run_module("variformer", run_name="__main__", alter_sys=True)
finally:
    print(sorted({{"torch", "hydra"}} & sys.modules.keys()))
"""


@pytest.mark.parametrize("name", ["train", "evaluate"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--cfg", "job", "experiment=bert"],
        ["-m", "a=1,2", "-cd", "folder", "b=-1"],
        ["a=1", "--multirun", "--config-dir=folder", "~logger", "+new=[1,{a: 2}]", "--version"],
        ["--info", "searchpath", "--hydra-help", "--resolve", "-p", "model"],
    ],
)
def test_everything_after_the_name_is_hydras(monkeypatch, name, arguments):
    seen = []
    monkeypatch.setattr(commands, name, seen.append)
    done = CliRunner().invoke(app, [name, *arguments])
    assert done.exit_code == 0, done.output
    assert seen == [arguments]


def test_a_command_line_is_hydras_while_it_runs(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["variformer", "train", "seed=1"])
    with commands.command_line(["seed=2"]):
        assert sys.argv == ["variformer", "seed=2"]
    assert sys.argv == ["variformer", "train", "seed=1"]


def test_the_version_is_that_of_the_metadata():
    assert CliRunner().invoke(app, ["--version"]).output.strip() == version("variformer")


@pytest.mark.parametrize(
    ("arguments", "loaded"), [(["--version"], "[]"), (["--help"], "[]"), (["train", "--help"], "['hydra']")]
)
def test_help_and_version_import_no_torch(tmp_path, arguments, loaded):
    probe = PROBE.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.rstrip().endswith(loaded), done.stdout + done.stderr
