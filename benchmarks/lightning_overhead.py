"""What Lightning costs: a run as `python train.py` makes it, against a bare loop over the same parts.

    python benchmarks/lightning_overhead.py --windows 5 --steps 300
    python benchmarks/lightning_overhead.py --windows 5 --steps 300 model.width=256 model.heads=8

Both have the same loader, model, objective, optimizer, schedule and clipping, start from the same weights and
must end with the same loss. Lightning also does all that a run does by default in every step: curves,
throughput, progress bar, checks. They take turns. A window is a whole run, of which the steps in the middle are
timed: neither what happens once at the beginning and end, nor validation and checkpoints, which come at the end.
"""

import argparse
import math
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from hydra import compose, initialize_config_dir
from results import measured_here
from timing import interleave, machine, markdown, ratio, spread
from torch import nn

from variformer import config as configs
from variformer.config.schema import experiment
from variformer.run_directory.directory import RunDirectory
from variformer.runs.console import quieten
from variformer.runs.run import Config, build_data_module, build_module
from variformer.runs.task import Task, build_task
from variformer.runs.trainer import build_trainer

CONF = Path(__file__).parents[1] / "conf"
WARM_UP = 20  # steps before the clock starts
# nanoGPT's shape for a CPU, on bytes, so that no tokenizer must be trained
GPT = [
    *("experiment=gpt", "tokenizer=bytes", "samples=none", "length=64", "global_batch=12"),
    *("model.vocab_size=260", "model.width=128", "model.depth=4", "model.heads=4", "model.hidden=512"),
    *("trainer.accelerator=cpu", "trainer.validation_samples=1"),
    *("trainer.validate_every=null", "trainer.save_every=null"),  # at the end, when the clock has stopped
]


@dataclass(eq=False)
class Clock(L.Callback):
    """Must be the last callback, so that the others' work is inside."""

    begin: int
    end: int
    seconds: float = 0.0

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        self.tick(trainer.global_step)

    def tick(self, step: int) -> None:
        if step == self.begin:
            self.began = time.perf_counter()
        if step == self.end:
            self.seconds = time.perf_counter() - self.began


class Contest:
    """Windows of both kinds, of `steps` timed steps; `losses` are those of their last steps."""

    def __init__(self, config: Config, steps: int, folder: Path):
        self.total = WARM_UP + steps + 1
        self.config = experiment(config | {"max_steps": self.total})  # the last step also validates and saves
        self.task: Task = build_task(self.config)
        self.steps, self.folder = steps, folder
        self.losses: dict[str, float] = {}

    def clock(self) -> Clock:
        return Clock(WARM_UP, WARM_UP + self.steps)

    def lightning(self) -> float:
        """Seconds per step."""
        L.seed_everything(self.config.seed, verbose=False)
        run = RunDirectory(tempfile.mkdtemp(dir=self.folder))
        trainer = build_trainer(self.config, run, self.total)
        clock = self.clock()
        trainer.callbacks.append(clock)  # type: ignore[attr-defined]
        module = build_module(self.config, self.task)
        trainer.fit(module, build_data_module(self.config, self.task, self.total, trainer.world_size))
        assert module.latest is not None
        self.losses["Lightning"] = module.latest.loss.item()
        return clock.seconds / self.steps

    def bare(self) -> float:
        """Seconds per step."""
        L.seed_everything(self.config.seed, verbose=False)
        torch.use_deterministic_algorithms(self.config.trainer.deterministic)  # as Lightning does
        parts = build_module(self.config, self.task)
        parts.prepare_blocks(torch.device("cpu"))
        model, objective = parts.model.train(), parts.objective.train()
        optimizer = parts.optimizer(parts.parameter_groups(model))
        total, limit = self.total, self.config.clip or math.inf
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: parts.schedule(step, total))
        clock = self.clock()
        loader = build_data_module(self.config, self.task, self.total, devices=1).train_dataloader()
        for step, batch in enumerate(loader, start=1):
            loss = objective(model, batch).loss
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), limit)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            clock.tick(step)
        self.losses["bare loop"] = loss.item()
        return clock.seconds / self.steps


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300, help="optimizer steps that are timed in each window")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/lightning_overhead.json")
    parser.add_argument("overrides", nargs="*", help="of the run's config, as for train.py")
    chosen = parser.parse_args(arguments)
    quieten()
    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(composed([*GPT, *chosen.overrides]), chosen.steps, Path(folder))
        seconds = interleave({"bare loop": contest.bare, "Lightning": contest.lightning}, chosen.windows)
    require_equal(contest.losses)
    print(machine("lightning"))
    rows = [
        [name, f"{1000 * statistics.median(values):.2f}", f"{spread(values):.0%}"] for name, values in seconds.items()
    ]
    table = markdown([f"{chosen.windows} x {chosen.steps} steps", "ms per step", "spread"], rows)
    overhead = f"Lightning's overhead: {100 * (ratio(seconds['Lightning'], seconds['bare loop']) - 1):.1f}%"
    print(f"{table}\n\n{overhead}")
    if chosen.keep:
        lines = [*table.splitlines(), "", overhead]
        print(measured_here("lightning_overhead", "lightning_overhead.py", {"table": lines}).write())


def composed(overrides: list[str]) -> Config:
    """The config that `python train.py` would run with these overrides."""
    configs.register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return configs.compose(compose("train", overrides))


def require_equal(losses: dict[str, float]) -> None:
    """Raises ValueError unless both did the same work."""
    if not math.isclose(*losses.values(), rel_tol=1e-5):
        raise ValueError(f"the last losses differ, so the times do not compare: {losses}")


if __name__ == "__main__":
    main()
