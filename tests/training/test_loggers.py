from variformer.training.loggers import CSV, read_curves


def test_numbers_come_back_exactly(tmp_path):
    CSV(tmp_path / "m.csv").log_metrics({"train/loss": 0.1 + 0.2, "val/loss": 1e-17}, step=3)
    assert read_curves(tmp_path / "m.csv") == [(3, "train/loss", 0.1 + 0.2), (3, "val/loss", 1e-17)]


def test_a_resumed_run_drops_the_steps_it_will_take_again(tmp_path):
    log = CSV(tmp_path / "m.csv")
    for step in range(1, 6):
        log.log_metrics({"train/loss": step / 10}, step)
    CSV(tmp_path / "m.csv", resume_step=3).log_metrics({"train/loss": 9.0}, step=4)
    assert [(s, v) for s, _, v in read_curves(tmp_path / "m.csv")] == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 9.0)]


def test_a_half_written_last_line_is_left_out(tmp_path):
    CSV(tmp_path / "m.csv").log_metrics({"a": 1.0}, step=1)
    with (tmp_path / "m.csv").open("a") as file:
        file.write("2,a")
    assert read_curves(tmp_path / "m.csv") == [(1, "a", 1.0)]


def test_a_new_run_starts_a_new_file(tmp_path):
    CSV(tmp_path / "m.csv").log_metrics({"a": 1.0}, step=1)
    CSV(tmp_path / "m.csv")
    assert read_curves(tmp_path / "m.csv") == []
