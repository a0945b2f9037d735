"""The menus of README.md and docs/: each command composes to a checked config, and each option of a list exists."""

import re
import shlex
from pathlib import Path

import pytest

import variformer

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
GUIDES = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md"))]
LONG = pytest.param("README.md", marks=[pytest.mark.slow, pytest.mark.timeout(900)])  # about sixty commands
COMMAND = re.compile(r"(?<![\w`]--)(?:python train\.py|variformer train)((?: +[^\s`#|>]+| '[^']*')+)")
LISTED = ("model", "objective", "tokenizer", "schedule", "logger", "debug", "trainer", "callbacks")
LISTED += tuple(f"model/{part}" for part in ("positions", "norm", "feed_forward", "block", "attention"))
# Their run must exist, or they only print; docs/continue_repeat_evaluate.md has those that go on with a run.
OTHERS = re.compile(r"resume=|repeat=|--cfg|--help|init_from=RUN|my_study|=mine|log_bias|\.\.\.|\$")


def menu(page: str) -> list[list[str]]:
    """The words of each training command of a page, of a sweep the first value of each list."""
    text = re.sub(r"\\\n\s*", "", (ROOT / page).read_text(encoding="utf-8"))
    lines = dict.fromkeys(found[1].strip() for found in COMMAND.finditer(text) if not OTHERS.search(found[1]))
    return [[first(word) for word in shlex.split(line) if word != "-m"] for line in lines]


def first(word: str) -> str:
    key, sign, values = word.partition("=")
    return key + sign + (values if values.startswith(("[", "{", "'")) else values.split(",")[0])


@pytest.mark.parametrize("page", [*GUIDES, LONG])
def test_each_training_command_composes(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    refused = []
    for words in menu(page):
        try:
            variformer.compose(*words)
        except variformer.ConfigError as error:
            refused.append(f"{shlex.join(words)}: {error}")
    assert refused == []


def test_the_readme_has_a_menu():
    assert len(menu("README.md")) > 50


def test_each_option_of_a_list_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lists = re.findall(r"`([\w/]+)=(\w+(?: \| \w+)+)`", text)
    assert len(lists) >= 5
    for group, options in lists:
        folder = next(
            path for path in (CONF / group, CONF / "hydra/sweeper" / group.rpartition("/")[2]) if path.is_dir()
        )
        assert {f"{option}.yaml" for option in options.split(" | ")} <= {path.name for path in folder.iterdir()}, group


@pytest.mark.parametrize("group", LISTED)
def test_each_option_stands_in_the_readme(group):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    options = {path.stem for path in (CONF / group).glob("*.yaml")} - {"parts"}
    assert options and [name for name in sorted(options) if not re.search(rf"\b{name}\b", text)] == []
