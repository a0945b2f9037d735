"""Packages whose classes a config may name: who may allow them, and what can never be."""

import json
import sys
from pathlib import Path

import pytest

from variformer.config import ConfigError
from variformer.config.classes import allowed_packages, entry_points, targets
from variformer.config.classes.allowed_packages import allow, allowed
from variformer.configs import study

BOOM = "raise RuntimeError('imported')\n"
MODEL = """
import os
from os import system
from torch import nn
from torch.nn import Linear
from variformer.models import GPT
from variformer.ranges import Count
from . import parts
from .parts import Part

class Plain(nn.Module):
    kind = "causal decoder"
    def __init__(self, size: Count = 3): ...

class Wider(GPT):
    pass

class Other(parts.Part):
    pass

class _Hidden: ...
def function(): ...
"""


@pytest.fixture
def place(nothing_allowed):
    """A working directory with a package that must not be imported."""
    write(nothing_allowed / "my_study" / "__init__.py", MODEL + BOOM)
    write(nothing_allowed / "my_study" / "parts.py", "class Part:\n    def __init__(self, a: int): ...\n")
    yield nothing_allowed
    assert not {"my_study", "evil"} & set(sys.modules)


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def refusal(target: str) -> str:
    with pytest.raises(LookupError) as refused:
        targets.find(target)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_package_is_refused_with_all_ways_to_allow_it(place):
    message = refusal("my_study.Plain")
    assert "not allowed" in message and "the package my_study" in message
    for way in ("allow=my_study", "VARIFORMER_ALLOW=my_study", "conf/study.yaml", "variformer.targets"):
        assert way in message
    assert str(place) not in sys.path


def test_a_command_line_allows_a_package(place):
    assert allow("my_study") == [] and targets.find("my_study.Plain").module == "my_study"
    assert sys.path[-1] == str(place)  # behind all that is installed


def test_a_study_and_the_environment_allow_packages(place, monkeypatch):
    write(place / "src" / "my_other" / "__init__.py", "class Thing: ...\n")
    write(place / "conf" / "study.yaml", "allow: [my_study]\n")
    monkeypatch.setenv(allowed_packages.VARIABLE, "my_other, os")
    assert allowed() == ("my_other", "my_study")
    assert targets.find("my_other.Thing") and targets.find("my_study.Part")


def test_a_folder_of_configs_that_is_named_allows_packages(place, monkeypatch):
    configs = write(place / "conf" / "study.yaml", "allow: my_study\n").parent
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert allowed() == ()
    assert allow([], [configs]) == [] and targets.find("my_study.Plain")


def test_a_study_is_found_where_a_folder_above_has_its_name(place, monkeypatch):
    """`python -m pytest my_other`, from the folder above, has that folder where Python looks for modules."""
    write(place / "my_other" / "my_other" / "__init__.py", "class Thing: ...\n")
    sys.path.insert(0, str(place))
    monkeypatch.chdir(place / "my_other")
    assert allow("my_other") == [] and targets.find("my_other.Thing")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("os", "belongs to Python"),
        ("subprocess", "belongs to Python"),
        ("torch", "cannot be allowed"),
        ("torch.hub", "cannot be allowed"),
        ("variformer", "cannot be allowed"),
        ("hydra", "cannot be allowed"),
        ("my_studi", "no package `my_studi`; did you mean `my_study`?"),
        ("_my_study", "not the name of a package"),
        ("../evil", "not the name of a package"),
        (3, "not the name of a package"),
    ],
)
def test_what_can_never_be_allowed_is_said(place, name, problem):
    (line,) = allow([name])
    assert line.startswith("allow: ") and problem in line
    assert allowed() == ()


def test_a_damaged_study_file_is_named(place):
    write(place / "conf" / "study.yaml", "allow: [os]\n")
    assert allow([]) == [f"{place}/conf/study.yaml: `os` belongs to Python: its classes are never allowed"]


@pytest.mark.parametrize(
    "target",
    [
        *("my_study.os", "my_study.system", "my_study.Linear", "my_study.GPT", "my_study.function"),
        *("my_study._Hidden", "my_study.parts", "my_study.__init__.Plain", "my_study_too.Plain", "my_study.Plain.x"),
    ],
)
def test_only_classes_written_in_an_allowed_package_are_found(place, target):
    allow("my_study")
    assert "not allowed" in (message := refusal(target)) or "has no module" in message


def test_a_single_module_can_be_allowed(place):
    allow("my_study.parts")
    assert targets.find("my_study.parts.Part")
    assert "not allowed" in refusal("my_study.Plain")


@pytest.mark.parametrize("folder", ["os", "torch", "variformer", "json", "yaml"])
def test_a_folder_in_the_working_directory_shadows_nothing(place, folder, monkeypatch):
    write(place / folder / "__init__.py", BOOM)
    monkeypatch.setenv(allowed_packages.VARIABLE, folder)
    assert str(place) not in sys.path and (allowed(), str(place) in sys.path)[1] is False


@pytest.mark.parametrize("linked", [False, True])
def test_a_run_that_was_sent_with_a_conf_folder_allows_nothing(place, monkeypatch, linked):
    """Also where the working directory is the run, or its conf/ is a link into one."""
    run = place / "runs" / "sent"
    write(run / "conf" / "study.yaml", "allow: [evil]\n")
    write(run / "evil" / "__init__.py", BOOM)
    write(run / "config.yaml", "{}")
    (run / "checkpoints").mkdir()
    if linked:
        (place / "conf").symlink_to(run / "conf")
        (place / "evil").symlink_to(run / "evil")
    else:
        monkeypatch.chdir(run)
    assert study() is None and allowed() == ()
    assert "not allowed" in refusal("evil.Thing")
    assert allow("evil")  # nor is it imported from there where it is allowed
    monkeypatch.setenv(allowed_packages.VARIABLE, "evil")
    assert "allowed but not found" in refusal("evil.Thing")


def distribution(site: Path, name: str, value: str, modules=(), requires="variformer", requested=True, **files) -> None:
    """An installed package with an entry point."""
    record = site / f"{name}-1.0.dist-info"
    for module in modules:
        write(site / module / "__init__.py", "class Thing: ...\n" + BOOM)
    write(record / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: {requires}>=0.1\n")
    write(record / "entry_points.txt", f"[variformer.targets]\n{name} = {value}\n")
    write(record / "INSTALLER", "pip\n")
    if requested:
        write(record / "REQUESTED", "")
    write(record / "RECORD", "".join(f"{module}/__init__.py,,\n" for module in modules))
    for file, text in files.items():
        write(record / f"{file}.json", text)


@pytest.fixture
def site(place, monkeypatch):
    folder = place / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(entry_points, "site_folders", lambda: {folder.resolve()})
    return folder


def test_an_installed_package_allows_itself_by_its_entry_point(site):
    distribution(site, "mine", "evil", ["evil"])
    assert allowed() == ("evil",) and targets.find("evil.Thing")


def test_an_editable_install_allows_itself(site, place):
    direct = json.dumps({"url": f"file://{place}", "dir_info": {"editable": True}})
    distribution(site, "mine", "my_study", direct_url=direct)
    sys.path.append(str(place))
    assert allowed() == ("my_study",)


@pytest.mark.parametrize(
    ("value", "changes", "why"),
    [
        ("os", {}, "os is not a part of mine"),
        ("subprocess:run", {}, "subprocess is not a part"),
        ("numpy", {}, "numpy is not a part of mine"),
        ("evil", {"requires": "numpy"}, "does not depend on variformer"),
        ("evil", {"requires": "variformer-lookalike"}, "does not depend on variformer"),
        ("evil", {"requested": False}, "because another package needs it"),
        ("my_study", {}, "my_study is not a part of mine"),
    ],
)
def test_an_entry_point_of_another_kind_opens_nothing(site, place, value, changes, why):
    sys.path.append(str(place))
    distribution(site, "mine", value, ["evil"], **changes)
    module = value.partition(":")[0]
    assert allowed() == () and why in entry_points.objections()[module]
    assert "not allowed" in (message := refusal(f"{module}.Thing"))
    assert ("is ignored" in message) == (module not in ("os", "subprocess"))


def test_an_entry_point_beside_a_run_opens_nothing(place):
    """`python -m` looks for modules, and their records, in the working directory."""
    distribution(place, "evil", "evil", ["evil"])
    sys.path.insert(0, str(place))
    assert allowed() == ()


def checked(target: str, **arguments) -> list[str]:
    from variformer.config.checking.check import node_problems

    return list(node_problems({"_target_": target, **arguments}, "model"))


def test_arguments_of_own_classes_are_checked_unimported(place):
    allow("my_study")
    assert checked("my_study.Plain", size=0) == ["model.size: 0 is not a whole number of 1 or more"]
    assert "did you mean `size`" in checked("my_study.Plain", sise=1)[0]
    assert "model.width: 'x' is not" in checked("my_study.Wider", width="x")[0]
    assert checked("my_study.Other", a="x") == ["model.a: 'x' is not int"]


def test_own_classes_say_what_they_are(place):
    from variformer.config.classes.attributes import declared

    allow("my_study")
    assert declared({"_target_": "my_study.Plain"}, "kind") == "causal decoder"
    assert declared({"_target_": "my_study.Wider"}, "kind") == "causal decoder"


def test_a_sweep_knows_what_an_own_objective_monitors(place):
    from variformer.config.classes.attributes import monitored

    text = "from variformer.objectives import image_classification as base\nclass Own(base.ImageClassification): ...\n"
    write(place / "my_study" / "tasks.py", text)
    allow("my_study")
    assert monitored({"_target_": "my_study.tasks.Own"}) == ("val/top1", "max")


@pytest.mark.parametrize(
    ("key", "target", "problem"),
    [
        ("model", "lightning.pytorch.loggers.CSVLogger", "belongs in logger"),
        ("model.norm", "lightning.pytorch.callbacks.ModelCheckpoint", "belongs in callbacks"),
        ("data", "torch.optim.RMSprop", "belongs in optimizer"),
        ("model", "torchmetrics.Accuracy", "belongs in metrics"),
        ("optimizer", "torch.optim.LBFGS", "several times a step"),
        ("optimizer", "torch.optim.lr_scheduler.StepLR", "is no optimizer"),
        ("metrics.x", "torchmetrics.image.fid.FrechetInceptionDistance", "reads weights"),
        ("metrics.x", "torchmetrics.text.BERTScore", "reads weights"),
    ],
)
def test_foreign_classes_stand_only_in_their_own_section(key, target, problem):
    from variformer.config.checking.check import node_problems

    assert any(problem in line for line in node_problems({"_target_": target, "_partial_": True}, key))


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("optimizer", "torch.optim.RMSprop"),
        ("callbacks.x", "lightning.pytorch.callbacks.DeviceStatsMonitor"),
        ("logger.x", "lightning.pytorch.loggers.CSVLogger"),
        ("data.transform", "torchvision.transforms.v2.RandomInvert"),
        ("metrics.x", "torchmetrics.classification.MulticlassF1Score"),
    ],
)
def test_foreign_classes_are_named_without_a_list(key, target):
    from variformer.config.checking.check import node_problems

    assert list(node_problems({"_target_": target, "_partial_": True}, key)) == []


def test_a_config_of_a_run_cannot_allow(place):
    from variformer.config import saved_config
    from variformer.config.composing.saved_configs import recorded_config

    write(place / "run" / "config.yaml", "allow: [my_study]\n")
    write(place / "run" / "run.json", '{"config": {"allow": ["my_study"]}}')
    for read in (saved_config, recorded_config):
        with pytest.raises(ConfigError, match="has the key `allow`, which the config of a run must not have"):
            read(place / "run")
    assert allowed() == ()
