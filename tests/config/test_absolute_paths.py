"""What of a config names local files is kept as an absolute path; everything else stays as it is."""

from pathlib import Path

import pytest

from variformer.config.checking.check import check
from variformer.config.classes.annotations import misfit
from variformer.config.composing.absolute_paths import with_absolute_paths, with_paths
from variformer.config.composing.earlier_runs import changed_values
from variformer.data.text.files import find_files

TEXT = {"_target_": "variformer.data.TextData", "_partial_": True}
IMAGES = {"_target_": "variformer.data.images.ImageData", "image_size": 8, "channels": 1, "classes": 2}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "tokenizer.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def source(kind: str, **arguments) -> dict:
    return {"data": TEXT | {"source": {"_target_": f"variformer.data.{kind}", **arguments}}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a.txt", "{here}/a.txt"),
        ("./folder/*.txt", "{here}/folder/*.txt"),
        ("../a.txt", "{here}/../a.txt"),
        ("/x/[ab].txt", "/x/[ab].txt"),
        ("~/a.txt", "{home}/a.txt"),
        (["a.txt", "folder/**/*.txt"], ["{here}/a.txt", "{here}/folder/**/*.txt"]),
        (None, None),
        ("", ""),
    ],
)
def test_text_files_are_absolute(here, given, expected):
    def filled(text):
        return text.format(here=here, home=Path.home())

    expected = [filled(each) for each in expected] if isinstance(expected, list) else expected and filled(expected)
    kept = with_absolute_paths(source("TextFiles", train="x.txt", validation=given, test=given))["data"]["source"]
    assert (kept["train"], kept["validation"], kept["test"]) == (f"{here}/x.txt", expected, expected)
    assert kept["_target_"] == "variformer.data.TextFiles"


def test_a_pattern_below_a_folder_with_brackets_finds_its_files(here, monkeypatch):
    (here / "[x]").mkdir()
    for name in ("a.txt", "[b].txt"):
        (here / "[x]" / name).touch()
    monkeypatch.chdir(here / "[x]")
    for given, expected in (("*.txt", ["[b].txt", "a.txt"]), ("[b].txt", ["[b].txt"]), ("[ab].txt", ["a.txt"])):
        pattern = with_absolute_paths(source("TextFiles", train=given))["data"]["source"]["train"]
        assert [path.name for path in find_files([pattern])] == expected
    folder = IMAGES | {"source": {"_target_": "variformer.data.images.ImageFolder", "train": "photos"}}
    assert with_absolute_paths({"data": folder})["data"]["source"]["train"] == f"{here}/[x]/photos"


def test_every_kind_of_path_in_a_config_is_absolute(here):
    images = IMAGES | {"source": {"_target_": "variformer.data.images.ImageFolder", "train": "a", "test": "b"}}
    kept = with_absolute_paths({"data": images, "repeat": "runs/a"})
    assert kept["data"]["source"] | {"_target_": ""} == {"_target_": "", "train": f"{here}/a", "test": f"{here}/b"}
    assert kept["repeat"] == f"{here}/runs/a"
    downloaded = IMAGES | {"source": {"_target_": "variformer.data.images.MNIST", "root": "mnist"}}
    assert with_absolute_paths({"data": downloaded})["data"]["source"]["root"] == f"{here}/mnist"
    assert with_absolute_paths({"data": TEXT | {"cache": "cache"}})["data"]["cache"] == f"{here}/cache"


@pytest.mark.parametrize(
    "config",
    [
        source("HubText", path="{}"),
        {"data": IMAGES | {"source": {"_target_": "variformer.data.images.HubImages", "path": "{}"}}},
        {"tokenizer": {"_target_": "variformer.data.Pretrained", "path": "{}"}},
        {"init_from": "{}"},
        {"objective": {"_target_": "variformer.objectives.token_distillation.TokenDistillation", "teacher": "{}"}},
    ],
)
def test_a_name_on_the_hub_stays_and_a_folder_is_absolute(here, config):
    def filled(value, text):
        return {k: filled(v, text) for k, v in value.items()} if isinstance(value, dict) else text_of(value, text)

    def text_of(value, text):
        return text if value == "{}" else value

    assert with_absolute_paths(filled(config, "some/model")) == filled(config, "some/model")
    assert with_absolute_paths(filled(config, "folder")) == filled(config, f"{here}/folder")


def test_a_file_with_the_name_of_a_data_set_is_no_data_set(here):
    assert with_absolute_paths(source("HubText", path="tokenizer.json"))["data"]["source"]["path"] == "tokenizer.json"
    tokenizer = {"_target_": "variformer.data.Pretrained", "path": "tokenizer.json"}
    assert with_absolute_paths({"tokenizer": tokenizer})["tokenizer"]["path"] == f"{here}/tokenizer.json"


def test_what_is_not_known_yet_stays():
    config = source("TextFiles", train="${oc.env:DATA}/a.txt", validation="???")
    assert with_absolute_paths(config) == config


def test_a_config_that_is_anchored_twice_stays_as_it_is(composed, monkeypatch, tmp_path):
    config = composed("experiment=gpt", "data=text_files", "data.source.train=[a.txt,b.txt]", "data.cache=cache")
    check(config)
    assert config["data"]["source"]["train"] == [f"{tmp_path}/a.txt", f"{tmp_path}/b.txt"]
    monkeypatch.chdir("/")
    assert with_absolute_paths(config) == config


def test_paths_of_a_config_are_shown_by_their_last_part():
    config = with_absolute_paths(source("TextFiles", train=["a.txt", "folder/*.txt"]) | {"init_from": "some/model"})
    shown = with_paths(config, lambda path, kind: Path(path).name if path.startswith("/") else path)
    assert shown["data"]["source"]["train"] == ["a.txt", "*.txt"] and shown["init_from"] == "some/model"


def test_a_relative_path_of_an_older_record_is_no_change(here):
    older, newer = source("TextFiles", train="a.txt"), source("TextFiles", train=f"{here}/a.txt")
    assert list(changed_values(older, newer)) == []
    (line,) = changed_values(older, source("TextFiles", train="/other/a.txt"))
    assert line == f"data.source.train: {here}/a.txt then, /other/a.txt now"


def test_a_path_is_a_text():
    from variformer.config.checking.defaults import experiment

    assert list(misfit(5, "init_from", experiment().parameters["init_from"])) != []
    assert list(misfit("runs/a", "init_from", experiment().parameters["init_from"])) == []
