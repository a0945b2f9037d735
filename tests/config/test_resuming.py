"""Which commands go on with a run, which start one, and which are refused."""

import warnings
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

import variformer.config
from variformer.config import ConfigError
from variformer.config.composing.hydra_errors import unknown_keys

CONF = Path(__file__).parents[2] / "conf"
STARTED = ["experiment=gpt", "model/positions=rotary", "max_steps=7"]


@pytest.fixture
def command(tmp_path, request, monkeypatch):
    """Overrides -> the config that train.py would run, in one run directory."""
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    variformer.config.register_resolvers()

    def composed(*overrides: str) -> dict:
        with initialize_config_dir(str(request.config.rootpath / "conf"), version_base="1.3"):
            config = compose("train", [*overrides, f"run_dir={tmp_path}"], return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        return variformer.config.compose(OmegaConf.masked_copy(config, [key for key in config if key != "hydra"]))

    return composed


@pytest.fixture
def begun(command, tmp_path):
    """A run that began as STARTED, and has saved nothing yet."""
    config = command(*STARTED)
    OmegaConf.save(config, tmp_path / "config.yaml")
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save([*STARTED, f"run_dir={tmp_path}"], tmp_path / ".hydra" / "overrides.yaml")
    (tmp_path / "checkpoints").mkdir()
    return config


@pytest.fixture
def saved(begun, tmp_path):
    (tmp_path / "checkpoints" / "step-00000002.ckpt").touch()
    return begun


def test_auto_starts_where_there_is_no_run(command):
    assert command(*STARTED, "resume=auto")["resume"] is False


def test_auto_starts_over_where_nothing_was_saved(command, begun, tmp_path):
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    assert command(*STARTED, "resume=auto") == begun


@pytest.mark.parametrize("overrides", [["run_dir=x"], STARTED])
def test_auto_goes_on_with_the_runs_own_config(command, saved, overrides):
    overrides = [each for each in overrides if not each.startswith("run_dir")]
    assert command(*overrides, "resume=auto") == saved | {"resume": True}


def test_what_the_command_changes_is_changed(command, saved):
    assert command(*STARTED[:2], "max_steps=9", "resume=auto") == saved | {"resume": True, "max_steps": 9}


def test_another_part_than_the_run_began_with_is_refused(command, saved):
    with pytest.raises(ConfigError, match=r"optimizer: .* has chosen this group; set single values of it"):
        command(*STARTED, "optimizer=muon", "resume=auto")


def test_an_unknown_key_of_a_run_names_a_similar_one(command, saved):
    with pytest.raises(ConfigError, match=r"optimizer\.rl: not a value of the run.*did you mean `lr`"):
        command(*STARTED, "++optimizer.rl=1", "resume=auto")


def test_a_command_with_interpolations_goes_on_too(command, tmp_path):
    started = [*STARTED, "micro_batch='${global_batch}'"]
    begun = command(*started)
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(begun))
    (tmp_path / ".hydra").mkdir(exist_ok=True)
    (tmp_path / ".hydra" / "overrides.yaml").write_text(OmegaConf.to_yaml([*started, "run_dir=${oc.env:HOME}"]))
    (tmp_path / "checkpoints").mkdir(exist_ok=True)
    (tmp_path / "checkpoints" / "step-00000002.ckpt").touch()
    assert command(*started, "resume=auto") == begun | {"resume": True}
    assert command(*started, "eval_batch='${micro_batch}'", "resume=auto")["eval_batch"] == begun["global_batch"]


def test_a_run_with_checkpoints_is_not_overwritten(command, saved):
    with pytest.raises(ConfigError, match="holds a run; continue it with resume=true"):
        command(*STARTED)


def test_a_requeued_slurm_job_needs_no_word(command, saved, monkeypatch):
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert command(*STARTED) == saved | {"resume": True}


def test_a_run_saved_with_validation_batches_goes_on(command, saved, tmp_path):
    """As the code of before wrote it; the samples are as many."""
    trainer = {name: value for name, value in saved["trainer"].items() if name != "validation_samples"}
    before = saved | {"trainer": trainer | {"validation_batches": 3}, "eval_batch": 5}
    OmegaConf.save(before, tmp_path / "config.yaml")
    with pytest.warns(UserWarning, match=r"config\.yaml has trainer\.validation_batches=3.*validation_samples=15"):
        resumed = command("resume=true")
    assert resumed["trainer"] == trainer | {"validation_samples": 15}


def test_a_run_that_validates_on_all_samples_goes_on_so(command, saved, tmp_path):
    trainer = {name: value for name, value in saved["trainer"].items() if name != "validation_samples"}
    OmegaConf.save(saved | {"trainer": trainer | {"validation_batches": None}}, tmp_path / "config.yaml")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert command("resume=true")["trainer"] == saved["trainer"]


def test_a_new_command_with_validation_batches_names_the_new_key(saved):
    with pytest.raises(ConfigError, match=r"trainer\.validation_batches: .* did you mean `validation_samples`"):
        variformer.config.check(saved | {"trainer": saved["trainer"] | {"validation_batches": 3}})
    (line,) = unknown_keys([CONF], "train", ["trainer.validation_batches=3"])
    assert "did you mean `validation_samples`" in line


def test_resume_alone_asks_for_the_run(command, saved, request):
    with initialize_config_dir(str(request.config.rootpath / "conf"), version_base="1.3"):
        config = compose("train", ["resume=true"], return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    with pytest.raises(ConfigError, match=r"^resume: needs run_dir=, the directory of the run to continue$"):
        variformer.config.compose(OmegaConf.masked_copy(config, [key for key in config if key != "hydra"]))


def test_hydra_writes_nothing_into_a_run_that_is_done(saved, tmp_path):
    folder = OmegaConf.create({"hydra": f"${{hydra_folder:{tmp_path}}}"})
    assert folder.hydra == ".hydra_resumed"
    (tmp_path / "status.json").write_text('{"status": "done"}')
    assert folder.hydra is None


def test_fewer_steps_than_were_taken_are_refused(command, saved, tmp_path):
    with pytest.raises(ConfigError, match="max_steps: 1 lies before the checkpoint's step 2; give 2 or more"):
        command("max_steps=1", "resume=true")
