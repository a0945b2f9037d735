"""A callback of our own: Lightning's Callback, https://lightning.ai/docs/pytorch/stable/extensions/callbacks.html."""

from typing import Any

from lightning import Callback, Trainer

from variformer.ranges import Count


class ProgressLines(Callback):
    """Prints the loss `every` so many steps, and keeps the first one across a resumed run."""

    def __init__(self, every: Count = 100):
        self.every, self.first = every, float("nan")

    def on_train_batch_end(self, trainer: Trainer, module: Any, *_: Any) -> None:
        if trainer.global_step == 1:
            self.first = module.latest.loss.item()
        if trainer.is_global_zero and trainer.global_step % self.every == 0:
            print(f"step {trainer.global_step}: loss {module.latest.loss.item():.3f}, at first {self.first:.3f}")

    def state_dict(self) -> dict[str, Any]:
        return {"first": self.first}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.first = state_dict["first"]
