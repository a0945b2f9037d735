"""A folder that a run cannot have is refused before Hydra makes it."""

import pytest
from omegaconf import OmegaConf

from variformer.config.composing.folder_check import FolderCheck
from variformer.config.composing.run_folder import folder_problems, name_problems


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128, "a/b", ".hidden", "..", "", " ", "a\nb", None])
def test_what_is_no_name_of_a_folder_is_refused(name):
    (line,) = name_problems(name)
    assert line.startswith("name: ")
    assert len(line) < 200


@pytest.mark.parametrize("name", ["gpt", "x" * 255, "my run", "grün-1.2", 7])
def test_ordinary_names_pass(name):
    assert list(name_problems(name)) == []


def test_a_folder_that_cannot_be_made_is_named_with_its_cure(tmp_path):
    (tmp_path / "file").write_text("")
    (line,) = folder_problems(tmp_path / "file" / "runs" / "one")
    assert line.startswith(f"run_dir: {tmp_path / 'file' / 'runs' / 'one'} cannot be used (Not a directory)")
    assert "set run_dir to a folder" in line


def test_a_folder_that_may_only_be_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    (line,) = folder_problems(tmp_path)
    assert "no permission to write" in line


def test_the_process_ends_with_code_2_and_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    config = OmegaConf.create({"name": "run", "hydra": {"run": {"dir": str(tmp_path / "file" / "run")}}})
    with pytest.raises(SystemExit) as stop:
        FolderCheck().on_run_start(config)
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
