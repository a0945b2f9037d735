"""A stand-in for train.py that trains nothing: it leaves a run directory as training does, and fails as its name says.

`name` says how a trial goes: good, or one of the faults below. Its loss is clip + 1 / step, for max_steps steps of
eval_batch tenths of a second. As a trial it reads its command line without Hydra, which would take most of the time.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from variformer.run_directory.directory import RunDirectory, write_json

CONF = Path(__file__).with_name("conf")
PROJECT = Path(__file__).parents[2] / "conf"
NOTED = ("VARIFORMER_TRIAL", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT")


def main():
    import hydra

    from variformer.config import hints
    from variformer.sweeps import is_trial, report, run_trial

    @hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
    def job(config):
        assert is_trial()
        run_trial([sys.executable, str(Path(__file__).resolve())], config)

    report.draw_figures = lambda *arguments: ([], [])  # takes seconds, and has tests of its own
    sys.argv.append(f"hydra.searchpath=['file://{PROJECT}']")
    with hints([CONF], "train"):
        job()


def trial(arguments):
    given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    name, run = given.get("name", "good"), RunDirectory(given["run_dir"].strip("'"))
    if name == "misfit":
        print("name: misfit is no name", file=sys.stderr)
        raise SystemExit(2)
    run.path.mkdir(parents=True, exist_ok=True)
    with (run.path / "starts.txt").open("a") as file:
        noted = {name: os.environ.get(name) for name in NOTED} | {"pid": os.getpid(), "began": time.time()}
        file.write(f"{json.dumps(noted | {'saved': saved(run)})}\n")
    run.set_status("running")
    try:
        train(given, name, run)
    except SystemExit as stop:
        run.set_status("preempted", stop)
        raise
    except Exception as error:
        run.set_status("failed", error)
        raise
    run.set_status("done")


def train(given, name, run):
    stops = []
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(each, lambda signum, frame: stops.append(signum))
    if not saved(run):
        run.curves.write_text("step,metric,value\n")
    for step in range(saved(run) + 1, int(given["max_steps"]) + 1):
        time.sleep(float(given.get("eval_batch", 0)) / (1 if name == "lasts" else 10))
        misbehave(name, step, run)
        with run.curves.open("a") as file:
            file.write(f"{step},val/loss,{float(given['clip']) + 1 / step!r}\n")
        (run.path / "saved").write_text(str(step))
        if stops:
            raise SystemExit(128 + stops[0])
    monitor = json.loads(Path(os.environ["VARIFORMER_TRIAL"]).read_text())["monitor"]
    write_json(run.metrics, {"step": step, monitor: float("nan") if name == "diverges" else float(given["clip"])})
    (run.path / "ended").write_text(str(time.time()))


def saved(run):
    return int((run.path / "saved").read_text()) if (run.path / "saved").is_file() else 0


def misbehave(name, step, run):
    if name == "raises":
        raise ValueError("a bad batch")
    if name == "exits":
        os._exit(0)
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "hangs":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    if name == "cancelled" and step == 1:
        signal.raise_signal(signal.SIGTERM)
    if name == "recovers" and step == 2 and not (run.path / "tried").exists():
        (run.path / "tried").touch()
        raise ValueError("the first time only")


if __name__ == "__main__":
    trial(sys.argv[1:]) if "hydra.mode=RUN" in sys.argv else main()
