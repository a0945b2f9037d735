"""Configs of runs that earlier versions of the code have saved, in the keys of today."""

import warnings
from typing import Any

from ..classes.moved import with_current_targets


def renewed(config: Any, source: object) -> Any:
    """The config that `source` holds, changed in place; without old keys and old names of classes it stays as it is."""
    with_current_targets(config)
    trainer = config.get("trainer") or {}
    if "validation_batches" in trainer:
        trainer["validation_samples"] = samples_of(trainer.pop("validation_batches"), config, source)
    return config


def samples_of(batches: int | None, config: Any, source: object) -> int | None:
    """As many samples as `trainer.validation_batches` meant, which took the first of the split."""
    if batches is None:
        return None
    samples = batches * (config.get("eval_batch") or config.get("micro_batch") or config["global_batch"])
    warnings.warn(
        f"{source} has trainer.validation_batches={batches}, now trainer.validation_samples={samples}: as many, but "
        "drawn over the whole split, so that new validation metrics differ a little from earlier ones",
        stacklevel=3,
    )
    return samples
