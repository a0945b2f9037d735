"""The learning rates of a run: the peaks of its optimizer, times a factor of its schedule."""

from torch.optim.lr_scheduler import LambdaLR

from .contract import State


class Rates(LambdaLR):
    """The optimizer's own peaks times the schedule's factor, also after a checkpoint was loaded."""

    def load_state_dict(self, state_dict: State) -> None:
        peaks = self.base_lrs
        super().load_state_dict(state_dict | {"base_lrs": peaks})
        factors = [factor(self.last_epoch) for factor in self.lr_lambdas]
        self._last_lr = [peak * factor for peak, factor in zip(peaks, factors, strict=True)]
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate
