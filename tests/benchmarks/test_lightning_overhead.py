import time

import lightning_overhead
import pytest
from lightning_overhead import WARM_UP, Clock


@pytest.fixture
def overrides(tmp_path):
    """A model of two layers on a page of text."""
    texts = [f"Document {number} tells what attention is. " * 5 for number in range(20)]
    (tmp_path / "text.txt").write_text("@@".join(texts))
    return [
        *("data=text_files", f"data.source.train={tmp_path}/text.txt", f"data.cache={tmp_path}/cache"),
        *("data.source.document_separator=@@", "data.validation=0.2", "length=16", "global_batch=2"),
        *("model.width=16", "model.depth=1", "model.heads=2", "model.hidden=16"),
    ]


@pytest.mark.slow
def test_the_command_prints_the_overhead(overrides, capsys, monkeypatch):
    monkeypatch.setattr(lightning_overhead, "WARM_UP", 2)
    lightning_overhead.main(["--windows", "2", "--steps", "3", *overrides])
    printed = capsys.readouterr().out
    rows = {line.split("|")[1].strip(): line.split("|")[2] for line in printed.splitlines() if line.startswith("| ")}
    assert rows["2 x 3 steps"].strip() == "ms per step"
    assert float(rows["Lightning"]) > 0 and float(rows["bare loop"]) > 0
    assert printed.splitlines()[-1].startswith("Lightning's overhead: ")


@pytest.mark.slow
def test_both_do_the_same_work_step_by_step(overrides, tmp_path):
    """Bit for bit the same loss after 26 steps with clipping, warm-up and decay."""
    config = lightning_overhead.composed([*lightning_overhead.GPT, *overrides])
    contest = lightning_overhead.Contest(config, 5, tmp_path)
    assert contest.config.max_steps == WARM_UP + 6
    contest.bare()
    contest.lightning()
    assert contest.losses["Lightning"] == contest.losses["bare loop"]
    lightning_overhead.require_equal(contest.losses)


def test_another_loss_is_no_comparison():
    with pytest.raises(ValueError, match="the last losses differ"):
        lightning_overhead.require_equal({"Lightning": 3.0, "bare loop": 3.001})


def test_the_clock_runs_from_one_steps_end_to_anothers():
    clock = Clock(2, 4)
    for step in range(1, 6):
        time.sleep(0.02)
        clock.tick(step)
    assert clock.seconds == pytest.approx(0.04, rel=0.5)
