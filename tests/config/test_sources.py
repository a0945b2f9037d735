"""`model=source`: the model of init_from, with what the command line changes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

import variformer
from variformer.config import ConfigError, spelled
from variformer.config.composing.sources import changed, takes_source

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture(scope="module")
def earlier(composed) -> Path:
    """A run directory with only the config of an earlier run, which had a head for a task."""
    config = composed("experiment=bert", "model/size=nano", "model.vocab_size=300", "model.dropout=0.1", "length=32")
    config["head"] = {"_target_": "variformer.models.SequenceClassifier", "_partial_": True, "classes": 2}
    OmegaConf.save(OmegaConf.create(config), Path(config["run_dir"]) / "config.yaml")
    return Path(config["run_dir"])


def tuned(earlier: Path, *overrides: str) -> variformer.Config:
    """A config whose experiment has another model."""
    return variformer.compose("experiment=bert", "model=source", "tokenizer=source", f"init_from={earlier}", *overrides)


def test_the_model_is_that_of_the_source(earlier):
    theirs, ours = OmegaConf.load(earlier / "config.yaml"), tuned(earlier)
    assert ours["model"] == OmegaConf.to_container(theirs.model) and ours["head"] is None
    assert ours["tokenizer"] == {"_target_": "variformer.data.Pretrained", "path": str(earlier)}


def test_the_command_line_changes_values_and_parts_of_it(earlier):
    theirs = OmegaConf.load(earlier / "config.yaml").model
    ours = tuned(earlier, "model.dropout=0.3", "model.positions.base=500.0", "model/norm=rms", "model.activation=relu")
    assert ours["model"]["positions"] == OmegaConf.to_container(theirs.positions) | {"base": 500.0}
    assert ours["model"]["norm"]["_target_"].endswith("RMSNorm")
    changes = {"dropout": 0.3, "activation": "relu", **{name: ours["model"][name] for name in ("positions", "norm")}}
    assert ours["model"] == OmegaConf.to_container(theirs) | changes


def test_another_part_replaces_all_of_the_source_s(earlier):
    positions = tuned(earlier, "model/positions=sinusoidal")["model"]["positions"]
    assert positions["_target_"].endswith(".SinusoidalPositions") and "share" not in positions


def test_a_length_is_at_most_the_source_s_unless_it_is_given(earlier):
    assert tuned(earlier)["length"] == 32 and tuned(earlier, "length=16")["length"] == 16
    with pytest.raises(ConfigError, match=r"length: 64 exceeds model.max_length=32"):
        tuned(earlier, "length=64")
    assert tuned(earlier, "length=64", "model.max_length=64")["model"]["max_length"] == 64


def test_what_is_wrong_is_said_before_anything_is_computed(earlier, tmp_path):
    with pytest.raises(ConfigError, match=r"init_from: needs a value, a run directory, a Hugging Face folder or"):
        variformer.compose("model=source")
    with pytest.raises(ConfigError, match=r"model.droput: unknown argument .* did you mean `dropout`"):
        tuned(earlier, "model.droput=0.3")
    with pytest.raises(ConfigError, match=r"model/size: model=source has the sizes of init_from"):
        tuned(earlier, "model/size=mini")
    with pytest.raises(ConfigError, match=r"init_from=.*nowhere: there is no folder"):
        variformer.compose("model=source", f"init_from={tmp_path / 'nowhere'}")
    with pytest.raises(ConfigError, match=r"is neither a run directory"):
        variformer.compose("model=source", f"init_from={tmp_path}")


def test_the_sizes_of_images_are_those_of_the_data(composed):
    config = composed("experiment=vit", "model/size=nano")
    OmegaConf.save(OmegaConf.create(config), Path(config["run_dir"]) / "config.yaml")
    given = ("data.image_size=16", "data.classes=10", f"init_from={config['run_dir']}")
    ours = variformer.compose("experiment=vit", "model=source", *given)["model"]
    assert ours == config["model"] | {"image_size": 16, "classes": 10}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["model=source"], True),
        (["model=bert"], False),
        (["experiment=gpt"], False),
        ([], False),
        (["experiment=no_such"], False),
    ],
)
def test_which_command_lines_take_the_source_s_model(arguments, expected):
    assert takes_source(arguments, [CONF]) == expected


def test_values_of_the_source_s_model_may_be_new_keys():
    assert spelled(["model=source", "model.x=1", "data.x=1"], [CONF]) == ["model=source", "++model.x=1", "data.x=1"]
    assert spelled(["model=source", "model.norm=rms"], [CONF]) == ["model=source", "model/norm=rms"]
    once = spelled(["model=source", "model.x=1"], [CONF])
    assert spelled(once, [CONF]) == once  # a trial's command line is read once more


@given(st.dictionaries(st.sampled_from("abc"), st.integers()), st.dictionaries(st.sampled_from("abc"), st.integers()))
def test_changes_win_and_the_rest_stays(values, changes):
    assert changed(values, changes) == values | changes
    assert changed({"part": values}, {"part": changes}) == {"part": values | changes}
