import resource
from contextlib import contextmanager

import pytest

from variformer.run_directory.curves import read_curves
from variformer.training.loggers import CSV


def test_numbers_come_back_exactly(tmp_path):
    CSV(tmp_path / "m.csv").log_metrics({"train/loss": 0.1 + 0.2, "val/loss": 1e-17}, step=3)
    assert read_curves(tmp_path / "m.csv") == [(3, "train/loss", 0.1 + 0.2), (3, "val/loss", 1e-17)]


def logged(path, steps: int = 5) -> None:
    log = CSV(path)
    for step in range(1, steps + 1):
        log.log_metrics({"train/loss": step / 10}, step)


def test_a_resumed_run_drops_the_steps_it_will_take_again(tmp_path):
    logged(tmp_path / "m.csv")
    CSV(tmp_path / "m.csv", resume_step=3).log_metrics({"train/loss": 9.0}, step=4)
    assert [(s, v) for s, _, v in read_curves(tmp_path / "m.csv")] == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 9.0)]


def test_a_resumed_run_knows_how_far_the_last_session_came(tmp_path):
    logged(tmp_path / "m.csv")
    assert CSV(tmp_path / "m.csv", resume_step=3).last_step == 5
    assert CSV(tmp_path / "m.csv").last_step is None


@pytest.mark.parametrize("half", ["2,a", "2,a,0.12"])
def test_a_half_written_last_line_is_left_out(tmp_path, half):
    CSV(tmp_path / "m.csv").log_metrics({"a": 1.0}, step=1)
    with (tmp_path / "m.csv").open("a") as file:
        file.write(half)
    assert read_curves(tmp_path / "m.csv") == [(1, "a", 1.0)]


def test_a_new_run_starts_a_new_file(tmp_path):
    CSV(tmp_path / "m.csv").log_metrics({"a": 1.0}, step=1)
    CSV(tmp_path / "m.csv").log_metrics({"a": 2.0}, step=2)
    assert read_curves(tmp_path / "m.csv") == [(2, "a", 2.0)]


def test_a_metric_has_one_value_a_step_also_after_a_resume(tmp_path):
    log = CSV(tmp_path / "m.csv")
    log.log_metrics({"val/loss": 1.0}, step=1)
    log.log_metrics({"val/loss": 1.0, "spent/flops": 2.0}, step=1)
    CSV(tmp_path / "m.csv", resume_step=1).log_metrics({"val/loss": 1.0, "spent/tokens": 3.0}, step=1)
    rows = [(1, "val/loss", 1.0), (1, "spent/flops", 2.0), (1, "spent/tokens", 3.0)]
    assert read_curves(tmp_path / "m.csv") == rows


@contextmanager
def files_no_larger_than(size: int):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_no_row_is_lost_or_half_written(tmp_path, caplog):
    path = tmp_path / "m.csv"
    log = CSV(path)
    log.log_metrics({"a": 1.0}, step=1)
    with files_no_larger_than(path.stat().st_size + 4):
        log.log_metrics({"a": 2.0}, step=2)
        log.log_metrics({"a": 3.0}, step=3)
    assert read_curves(path) == [(1, "a", 1.0)] and path.read_bytes().endswith(b"\n")
    assert "m.csv" in caplog.text and "wait" in caplog.text
    log.log_metrics({"a": 4.0}, step=4)
    assert read_curves(path) == [(step, "a", float(step)) for step in (1, 2, 3, 4)]
