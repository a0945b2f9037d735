"""trainer.auto_micro_batch where devices differ in what fits."""

from pathlib import Path
from typing import Any

import pytest
import torch

from variformer.config import saved_config
from variformer.objectives.image_classification import ImageClassification
from variformer.runs.train import train


def train_in_little_memory(config: dict[str, Any]) -> int:
    """Of two ranks, one can take 4 images and the other 2; the size that each trains with."""
    forward, trained = ImageClassification.forward, []

    def limited(self, model, batch):
        size = len(batch["index"])
        if model.training and size > 4 - 2 * torch.distributed.get_rank():
            raise torch.OutOfMemoryError("CUDA out of memory")
        trained.append(size)
        return forward(self, model, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("variformer.training.memory.rehearsal.free_memory", lambda device: None)
        patch.setattr(ImageClassification, "forward", limited)
        train(config)
    return next(size for size in reversed(trained) if size > 1)


@pytest.mark.slow
def test_the_rank_with_the_least_memory_decides_for_all(composed, on_ranks):
    lean = ["experiment=vit", "debug=fast", "trainer.accelerator=cpu", "trainer.progress=false", "eval_batch=1"]
    more = ["trainer=ddp", "trainer.devices=2", "global_batch=16", "micro_batch=null", "trainer.auto_micro_batch=true"]
    config = composed(*lean, *more)
    assert on_ranks(train_in_little_memory, config) == [2, 2]
    assert saved_config(Path(config["run_dir"])).micro_batch == 2
