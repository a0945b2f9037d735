"""A file of conf/sweep/wandb, as W&B's own agent runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SWEEP = ROOT / "conf" / "sweep" / "wandb" / "gpt_learning_rate.yaml"
ASSIGNED = {"optimizer.lr": 1e-05, "model.positions": "learned", "schedule.warmup": 1}
# W&B's agent gives each value by name and starts the command, as `wandb agent` does when its server hands it a run.
AGENT = """
import json, sys, yaml
from wandb.wandb_agent import Agent
sweep, program, assigned = sys.argv[1:4]
agent = Agent(api=None, queue=None, sweep_id="sweep1")
command = yaml.safe_load(open(sweep))["command"]
agent._sweep_command = command[:-1] + sys.argv[4:] + command[-1:]
args = {name: {"value": value} for name, value in json.loads(assigned).items()}
agent._command_run({"run_id": "trial1", "program": program, "args": args})
sys.exit(agent._run_processes["trial1"].wait())
"""


@pytest.fixture(scope="module")
def agents_run(tmp_path_factory) -> Path:
    """The directory of a run that W&B's agent started from one of our files."""
    folder = tmp_path_factory.mktemp("agent")
    tiny = ["debug=fast", "tokenizer=bytes", "model.vocab_size=300", "name=tiny"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "WANDB_MODE": "offline"}
    done = subprocess.run(
        [sys.executable, "-c", AGENT, str(SWEEP), "variformer", json.dumps(ASSIGNED), *tiny],
        cwd=folder,
        env=environment | {"OMP_NUM_THREADS": "1", "WANDB_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "sweeps" / "wandb" / "tiny" / "trial1"


def test_wandbs_agent_trains_with_the_values_that_it_was_given(agents_run):
    config = yaml.safe_load((agents_run / "config.yaml").read_text())
    assert config["optimizer"]["lr"] == ASSIGNED["optimizer.lr"]
    assert config["schedule"]["warmup"] == ASSIGNED["schedule.warmup"]
    assert config["model"]["positions"]["_target_"] == "variformer.layers.LearnedPositions"
    assert json.loads((agents_run / "status.json").read_text())["status"] == "done"


def test_wandb_gets_the_metric_that_the_sweep_asks_for(agents_run, sessions):
    (session,) = sessions(agents_run)
    metric = yaml.safe_load(SWEEP.read_text())["metric"]["name"]
    final = json.loads((agents_run / "metrics.json").read_text())[metric]
    assert [row[metric] for row in session.rows if metric in row][-1] == pytest.approx(final)
    tried = {item.key: json.loads(item.value_json) for item in session.run.config.update}
    assert ASSIGNED.items() <= tried.items(), "W&B cannot tell what it tried"
