"""What `python evaluate.py` does: rebuild a run from its directory and score it."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from omegaconf import OmegaConf

from ..config import check
from ..config.compose import load
from ..training.callbacks.average import evaluation_weights
from ..training.checkpoint_io import WholeCheckpointIO
from ..training.module import Training
from ..training.run_directory import RunDirectory, write_json
from .build import Config, build_data_module, build_module, build_task
from .train import quieten


def evaluate_run(run_dir: str, split: str = "val", checkpoint: str = "last") -> dict[str, float]:
    """Metrics of one split with the weights of `last` or `best`, by the code path that training used.

    Written to metrics_<split>_<checkpoint>.json in the run directory. Raises ValueError for a split that is none, and
    FileNotFoundError where there is no run or no such checkpoint.
    """
    if split not in ("val", "test"):
        raise ValueError(f"split={split}: choose val or test")
    config: Config = OmegaConf.to_container(load(Path(run_dir)))  # type: ignore[assignment]
    check(config)
    run = RunDirectory(run_dir)
    weights = run.checkpoint(checkpoint)
    quieten()
    L.seed_everything(config["seed"], verbose=False)
    task = build_task(config, run.tokenizer)
    module = build_module(config, task)
    load_weights(module, weights)
    trainer = L.Trainer(
        accelerator=config["trainer"]["accelerator"],
        devices=1,
        precision=config["precision"],
        deterministic=config["trainer"]["deterministic"],
        limit_val_batches=config["trainer"]["validation_batches"] if split == "val" else None,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    data_module = build_data_module(config, task, devices=1)
    score = {"val": trainer.validate, "test": trainer.test}[split]
    score(module, data_module, verbose=False)
    metrics = module.results[split]
    write_json(run.path / f"metrics_{split}_{checkpoint}.json", {"split": split, "checkpoint": checkpoint} | metrics)
    return metrics


def load_weights(module: Training, path: Path) -> None:
    checkpoint: dict[str, Any] = WholeCheckpointIO().load_checkpoint(path, map_location=torch.device("cpu"))
    module.load_state_dict(evaluation_weights(checkpoint))
