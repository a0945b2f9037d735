"""Bars move on a terminal, and leave log files alone."""

import io
from types import SimpleNamespace

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
