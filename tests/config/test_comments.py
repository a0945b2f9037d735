"""What `--help` says stands in conf/'s comments."""

from pathlib import Path

import pytest

from variformer.config.explaining import overview as module
from variformer.config.explaining.comments import comments, heading
from variformer.config.explaining.overview import overview

CONF = Path(__file__).parents[2] / "conf"
TEXT = """# @package _global_
# What it is, et al., 2018. More of it.
# Even more.
#
#   a command
defaults:
  - model: gpt  # what is trained
width: 3                        # of each layer
name: "a # b"
listed: [1, "x # y"]            # two of them; null: none
section:                        # a part
  inner: null                   # of the section
{flow}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "option.yaml"
    path.write_text(TEXT.replace("{flow}", "flow: {deep: 1, last: 2}  # in one line"))
    return path


def test_the_heading_is_the_first_sentence(file):
    assert heading(file) == "What it is, et al., 2018."


def test_a_comment_belongs_to_the_key_on_its_line(file):
    assert comments(file) == {
        "defaults.model": "what is trained",
        "width": "of each layer",
        "listed": "two of them; null: none",
        "section": "a part",
        "section.inner": "of the section",
        "flow": "in one line",
        "flow.last": "in one line",
    }


def test_every_key_and_group_of_a_run_says_what_it_means():
    said = comments(CONF / "train.yaml")
    keys = {line.partition(":")[0] for line in (CONF / "train.yaml").read_text().splitlines() if line[:1].isalpha()}
    assert keys - {"defaults", "hydra"} <= said.keys()
    not_chosen_there = ("hydra", "local", "decoding")  # an option of `samples` chooses how texts are written
    groups = {group.name for group in CONF.iterdir() if group.is_dir() and group.name not in not_chosen_there}
    assert {f"defaults.{group}" for group in groups} <= {*said}
    settings = CONF / "trainer" / "default.yaml"
    assert {line.partition(":")[0] for line in settings.read_text().splitlines() if ":" in line[:30]} - {
        "# One device, whatever there is."
    } <= comments(settings).keys()


def test_the_overview_says_what_keys_and_options_mean_and_take(monkeypatch):
    monkeypatch.setattr(module, "config_folders", lambda: [CONF])
    text = overview()
    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("  ")}
    assert lines["clip"].endswith("null: no clipping  [a number above 0, or null]")
    assert "[32-true, bf16-mixed, bf16-true, 16-mixed]" in lines["precision"]
    assert "optimizer steps; null: only at the end  [a whole number" in lines["trainer.save_every"]
    assert lines["muon"].endswith("Muon for the hidden matrices, AdamW for the rest (Jordan et al., 2024).")
    assert "== optimizer=OPTION == how the weights change" in text
