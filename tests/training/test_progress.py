"""Bars move on a terminal and in a notebook, and leave log files alone."""

import io
import sys
from types import ModuleType, SimpleNamespace

import pytest
from rich.console import Console

from variformer.training.callbacks import EvaluationBar


def shown(terminal: bool, **trainer) -> str:
    """What an evaluation of three batches prints."""
    bar, out = EvaluationBar(), io.StringIO()
    assert bar.console.stderr
    bar.console = Console(file=out, force_terminal=terminal, width=100)
    here = SimpleNamespace(**{"is_global_zero": True, "num_test_batches": [3]} | trainer)
    bar.on_test_start(here, None)
    for index in range(3):
        bar.on_test_batch_end(here, None, None, None, index)
    bar.on_test_end(here, None)
    assert bar.bar is None
    return out.getvalue()


def test_an_evaluation_moves_a_bar_on_a_terminal():
    assert "3/3" in shown(terminal=True) and "batches" in shown(terminal=True)


def test_an_evaluation_writes_no_bar_into_a_log_file():
    assert shown(terminal=False) == ""
    assert shown(terminal=True, is_global_zero=False) == ""


@pytest.fixture
def notebook(monkeypatch) -> list[tuple[str, str]]:
    """As an IPython kernel: what a cell displays, and what then takes its place."""
    shown: list[tuple[str, str]] = []
    output = SimpleNamespace(update=lambda content, raw: shown.append(("update", content["text/plain"])))

    def display(content, raw, display_id):
        shown.append(("display", content["text/plain"]))
        return output

    ipython, displays = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    displays.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", displays)
    return shown


def test_an_evaluation_moves_a_bar_in_a_notebook(notebook):
    assert shown(terminal=False) == ""
    kinds, texts = zip(*notebook, strict=True)
    assert kinds[0] == "display" and set(kinds[1:]) == {"update"}  # one output of the cell
    assert "0/3 batches" in texts[0] and "3/3 batches" in texts[-1]
    assert all(text.isprintable() for text in texts)


def test_a_terminal_of_ipython_is_no_notebook(notebook, monkeypatch):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace())
    assert shown(terminal=False) == "" and notebook == []
    assert "3/3" in shown(terminal=True) and notebook == []
