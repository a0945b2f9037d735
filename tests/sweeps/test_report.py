"""What a sweep leaves behind, from trials as its folder would tell of them."""

import csv
import itertools
import json
import math
import shlex
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from variformer.sweeps.axis import axes_of, short
from variformer.sweeps.figures import TooFew, finished, importances
from variformer.sweeps.report import clock, rank, report, summary
from variformer.sweeps.space import space_of
from variformer.sweeps.trials import Trial

POSITIONS = ("learned", "rotary")
COMMAND = ["python", "train.py", "experiment=gpt", "name=my sweep"]
FIGURES = {"history.png", "importances.png", "parallel_coordinates.png"}


def trial(number: int, value: float | None = None, status: str = "done", error: str | None = None, **overrides: str):
    given = {key.replace("__", "/").replace("_", "."): each for key, each in overrides.items()}
    return Trial(number, given, Path(f"trials/{number}"), status, value, 100, 61.4, error)


@pytest.fixture
def grid() -> list[Trial]:
    """Learning rate matters much, positions little; trial 5 is the best."""
    points = [(lr, positions) for lr in ("0.0001", "0.001", "0.01") for positions in POSITIONS]
    losses = [5 + math.log10(float(lr)) ** 2 / 10 - 0.01 * (positions == "rotary") for lr, positions in points]
    return [
        trial(i, losses[i], optimizer_lr=lr, model__positions=positions) for i, (lr, positions) in enumerate(points)
    ]


@pytest.fixture
def mixed(grid) -> list[Trial]:
    raised = "RuntimeError('[bold]no[/bold] memory')\nTraceback (most recent call last):\n  File x\nRuntimeError"
    return [
        *grid,
        trial(6, 7.5, "pruned", optimizer_lr="0.1", model__positions="learned"),
        trial(7, None, "failed", raised, optimizer_lr="0.1", model__positions="rotary"),
        trial(8, None, "preempted", optimizer_lr="1", model__positions="learned"),
        trial(9, math.nan, "done", optimizer_lr="1", model__positions="rotary"),
    ]


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr("variformer.sweeps.report.draw_figures", lambda *given: ([], []))


def reported(sweep: Path, trials: list[Trial], mode: str = "min") -> None:
    report(sweep, trials, monitor="val/loss", mode=mode, command=COMMAND)


def rows(sweep: Path) -> list[dict[str, str]]:
    with (sweep / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_the_best_first_and_the_failed_last(tmp_path, mixed, capsys, no_pictures):
    reported(tmp_path, mixed)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["trial", "optimizer.lr", "model/positions", "val/loss", "steps", "time", "status"]
    assert [line[0] for line in lines[1:11]] == ["5", "4", "3", "2", "1", "0", "9", "6", "8", "7"]
    assert lines[1] == ["5", "0.01", "rotary", "5.39", "100", "1:01", "done"]
    assert "failed: RuntimeError('[bold]no[/bold] memory')" in " ".join(lines[10])
    assert "10 trials: 7 done, 1 pruned, 1 preempted, 1 failed" in " ".join(lines[11])


def test_the_csv_has_every_trial_in_full(tmp_path, mixed, no_pictures):
    reported(tmp_path, mixed)
    found = rows(tmp_path)
    assert [int(row["trial"]) for row in found] == [5, 4, 3, 2, 1, 0, 9, 6, 8, 7]
    assert found[0]["optimizer.lr"] == "0.01" and found[0]["model/positions"] == "rotary"
    assert float(found[0]["val/loss"]) == mixed[5].value
    assert found[0]["run_dir"] == "trials/5" and found[0]["seconds"] == "61.4"
    assert found[-1]["status"] == "failed" and found[-1]["error"] == "RuntimeError('[bold]no[/bold] memory')"
    assert found[-1]["val/loss"] == ""


def test_the_best_trials_command_can_be_pasted_into_a_shell(tmp_path, mixed, capsys, no_pictures):
    reported(tmp_path, mixed)
    best = json.loads((tmp_path / "best.json").read_text())
    assert shlex.split(best["command"]) == [*COMMAND, "optimizer.lr=0.01", "model/positions=rotary"]
    assert f"  {best['command']}\n" in capsys.readouterr().out
    assert (best["trial"], best["value"], best["run_dir"]) == (5, mixed[5].value, "trials/5")


def test_more_is_better_where_the_objective_says_so(tmp_path, grid, no_pictures):
    reported(tmp_path, grid, mode="max")
    assert json.loads((tmp_path / "best.json").read_text())["trial"] == 0
    assert [each.number for each in rank(grid, "max")] == [0, 1, 2, 3, 4, 5]


def test_where_no_trial_finished_there_is_no_best_one(tmp_path, capsys):
    (tmp_path / "best.json").write_text("{}")
    reported(tmp_path, [trial(0, None, "failed", "ValueError: boom", seed="0"), trial(1, math.inf, seed="1")])
    assert not (tmp_path / "best.json").exists()
    printed = capsys.readouterr().out
    assert "no trial finished with a value of val/loss" in printed
    assert "no history.png: it takes 1 finished trial, and there are 0" in printed
    assert not list((tmp_path / "figures").iterdir())


def test_a_sweep_without_trials_says_so(tmp_path, capsys):
    reported(tmp_path, [])
    assert "no trials" in capsys.readouterr().out
    assert rows(tmp_path) == []


def test_a_long_sweep_is_cut_on_screen_but_not_in_the_csv(tmp_path, capsys, no_pictures):
    reported(tmp_path, [trial(i, i + 0.5, seed=str(i)) for i in range(60)])
    printed = capsys.readouterr().out
    assert "20 more" in printed and "59.5" not in printed
    assert len(rows(tmp_path)) == 60


def test_pictures_are_drawn_without_a_warning(tmp_path, mixed):
    import optuna.importance  # noqa: F401  # what its own imports warn of is not ours

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reported(tmp_path, mixed)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == FIGURES
    for path in (tmp_path / "figures").iterdir():
        with Image.open(path) as image:
            assert min(image.size) > 150
            assert len(image.convert("RGB").getcolors(maxcolors=100_000)) > 20, "the picture is empty"


def test_pictures_do_not_use_pyplot(tmp_path, grid):
    """Its style and backend are global, and a training run in the same process draws too."""
    before = sys.modules.get("matplotlib.pyplot")
    reported(tmp_path, grid)
    assert sys.modules.get("matplotlib.pyplot") is before


def test_what_cannot_be_drawn_says_why(tmp_path, grid, capsys):
    reported(tmp_path, grid[:2])
    printed = capsys.readouterr().out
    assert "no importances.png: it takes 4 finished trials, and there are 2" in printed
    assert {path.name for path in (tmp_path / "figures").iterdir()} == FIGURES - {"importances.png"}
    reported(tmp_path, [trial(i, 10.0**i, seed=str(i)) for i in range(4)])
    assert "no importances.png: it takes two keys that vary, and there is one" in capsys.readouterr().out


def test_the_key_that_matters_is_the_most_important(grid):
    weights = importances(axes_of(grid, {}), [each.value for each in grid])
    assert set(weights) == {"optimizer.lr", "model/positions"}
    assert weights["optimizer.lr"] > 3 * weights["model/positions"]
    with pytest.raises(TooFew, match="the same value"):
        importances(axes_of(grid, {}), [1.0] * len(grid))


def test_importances_equal_an_analysis_of_variance():
    points = itertools.product(("0.01", "0.02"), POSITIONS)
    losses = [6.377, 6.090, 6.185, 5.958]  # main effects of 0.1635 and 0.257: 0.286 and 0.705 of the variance
    small = [trial(i, losses[i], optimizer_lr=lr, model__positions=each) for i, (lr, each) in enumerate(points)]
    weights = importances(axes_of(small, {}), losses)
    assert weights["model/positions"] == pytest.approx(0.705, abs=0.05)
    assert weights["optimizer.lr"] == pytest.approx(0.286, abs=0.05)


def test_only_what_ended_with_a_number_is_compared(mixed):
    assert [each.number for each in finished(mixed)] == [0, 1, 2, 3, 4, 5]


def test_a_searched_axis_goes_from_end_to_end_of_the_search():
    """The draws of a plain interval may happen to lie closer to evenly on a logarithm; it stays plain."""
    space = space_of({"lr": "tag(log, interval(1e-5, 1e-1))", "dropout": "interval(0.001, 1)"})
    points = [("1e-4", "0.01"), ("0.01", "0.1"), ("0.02", "0.5")]
    drawn = [trial(i, 1.0, lr=lr, dropout=dropout) for i, (lr, dropout) in enumerate(points)]
    lr, dropout = axes_of(drawn, space)
    assert (lr.low, lr.high, lr.log) == (1e-5, 1e-1, True)
    assert lr.heights()[:2] == pytest.approx([0.25, 0.75])
    assert (dropout.low, dropout.high, dropout.log) == (0.001, 1, False)


@pytest.mark.parametrize(
    ("values", "log"),
    [
        (["1e-4", "3e-4", "1e-3"], True),
        (["8", "16", "32", "64"], True),
        (["1e-4", "3e-4"], False),
        (["0", "0.1", "0.2"], False),
        ([str(i) for i in range(1, 20)], False),
        (["rotary", "learned"], False),
        (["1", "null"], False),
    ],
)
def test_a_grid_that_is_even_in_its_logarithm_gets_a_log_axis(values, log):
    (axis,) = axes_of([trial(i, 1.0, a=value) for i, value in enumerate(values)], {})
    assert axis.log is log
    heights, texts = zip(*axis.ticks(), strict=True)
    assert all(0 <= height <= 1 for height in heights)
    assert all(b - a > 0.05 for a, b in pairwise(sorted(heights))), "texts overlap"
    assert len(values) > 6 or set(texts) == {short(value) for value in values}


def test_what_does_not_vary_has_no_axis(grid):
    for each in grid:
        each.overrides["seed"] = "0"
    assert [axis.label for axis in axes_of(grid, {})] == ["optimizer.lr", "model/positions"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("ValueError('a')\nTraceback (most recent call last):\n  x\nValueError: a", "ValueError('a')"),
        ("Traceback (most recent call last):\n  File x\nValueError: a\n", "ValueError: a"),
        ("\nkilled by SIGKILL\n", "killed by SIGKILL"),
        ("", ""),
    ],
)
def test_an_error_is_summed_up_in_one_line(error, line):
    assert summary(error) == line


def test_times_and_numbers_are_short():
    assert [clock(each) for each in (None, 0, 75.3, 3675)] == ["", "0:00", "1:15", "1:01:15"]
    assert [short(each) for each in (0.00031622776, "1e-05", 100, "true", 2.0479, 1e22)] == [
        *("0.0003162", "1e-05", "100", "true", "2.048", "1e+22"),
    ]
