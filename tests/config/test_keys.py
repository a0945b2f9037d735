"""`variformer help KEY`: conf's comments and the classes' docstrings, for every key that there is."""

from pathlib import Path

import pytest

from variformer.config.explaining.keys import explained, index

CONF = Path(__file__).parents[2] / "conf"
EXPERIMENTS = sorted(
    str(path.relative_to(CONF / "experiment").with_suffix("")) for path in (CONF / "experiment").rglob("*.yaml")
)


@pytest.fixture(scope="module")
def found():
    return index([CONF])


def keys(values: dict, path: str = ""):
    for name, value in values.items():
        if not str(name).startswith("_"):
            yield f"{path}{name}"
            if isinstance(value, dict):
                yield from keys(value, f"{path}{name}.")


@pytest.mark.parametrize(
    "experiment", [pytest.param(each, marks=pytest.mark.slow if "/" in each else ()) for each in EXPERIMENTS]
)
def test_every_key_of_an_experiment_is_explained(found, experiment):
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", [f"experiment={experiment}"]), resolve=False)
    sections = {
        "model",
        "objective",
        "data",
        "optimizer",
        "schedule",
        "tokenizer",
        "tuning",
        "trainer",
        "callbacks",
        "logger",
    }
    silent = [
        key
        for key in keys(config)
        if key not in sections
        and not (key in found and all(said.meaning and said.takes and said.default for said in found[key]))
    ]
    assert silent == []


def test_a_key_says_what_it_means_takes_and_is():
    assert explained("clip", [CONF]).splitlines() == [
        "clip",
        "  largest norm of the gradient; null: no clipping",
        "  takes    a number above 0, or null",
        "  default  1.0",
    ]
    text = explained("optimizer.lr", [CONF])
    assert "of the hidden matrices" in text and "default  0.001  with optimizer=adamw" in text
    assert "takes    a number of 0 or more" in text


def test_a_group_lists_its_options():
    text = explained("model/positions", [CONF])
    assert text.startswith("model/positions=OPTION: how the model knows the order of its inputs\n")
    assert "rotary  " in text and "Turned queries and keys" in text
    assert "model/positions=OPTION" in explained("model.positions", [CONF])


def test_a_studys_own_options_are_explained(nothing_allowed):
    from variformer.cli.studies import write_study
    from variformer.config.classes.allowed_packages import allow

    folder = write_study("my_other")
    folders = [CONF, folder / "conf"]
    assert allow([], folders) == []
    text = explained("objective.smoothing", folders)
    assert "share of each target that is spread over all tokens" in text and "a number from 0 to 1" in text


def test_an_unknown_key_gets_the_nearest():
    with pytest.raises(LookupError, match=r"no key or group `optimizer\.lrr`; did you mean `optimizer\.lr`"):
        explained("optimizer.lrr", [CONF])
