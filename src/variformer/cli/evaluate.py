"""What `python evaluate.py` does: rebuild a run from its directory and score it."""

import lightning as L

from ..training.run_directory import RunDirectory, write_json
from .build import build_data_module, build_module, build_task
from .loading import run_config, run_weights
from .memory import explained
from .train import quieten


def evaluate_run(
    run_dir: str, split: str = "val", checkpoint: str = "last", eval_batch: int | None = None
) -> dict[str, float]:
    """Metrics of one split with the weights of `last` or `best`, by the code path that training used.

    `eval_batch` samples at a time, or as many as a run of one device takes. Written to
    metrics_<split>_<checkpoint>.json in the run directory. Raises ValueError for a split that is none or a run without
    an objective, FileNotFoundError where there is no run or no such checkpoint, and OutOfMemory.
    """
    if split not in ("val", "test"):
        raise ValueError(f"split={split}: choose val or test")
    if eval_batch is not None and eval_batch < 1:
        raise ValueError(f"eval_batch={eval_batch} must be positive")
    config, run = run_config(run_dir), RunDirectory(run_dir)
    weights = run_weights(run.path, checkpoint)
    quieten()
    L.seed_everything(config["seed"], verbose=False)
    task = build_task(config, run.tokenizer)
    module = build_module(config, task)
    module.model.load_state_dict(weights)
    trainer = L.Trainer(
        accelerator=config["trainer"]["accelerator"],
        devices=1,
        precision=config["precision"],
        deterministic=config["trainer"]["deterministic"],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    data_module = build_data_module(config, task, devices=1)
    data_module.eval_batch = eval_batch or data_module.eval_batch
    score = {"val": trainer.validate, "test": trainer.test}[split]
    with explained(config, trainer, module.eval(), data_module):
        score(module, data_module, verbose=False)
    metrics = module.results[split]
    write_json(run.path / f"metrics_{split}_{checkpoint}.json", {"split": split, "checkpoint": checkpoint} | metrics)
    return metrics
