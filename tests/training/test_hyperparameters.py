"""A checkpoint's optimizer state goes on with the config's hyperparameters, and as it was where they are the same."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from variformer.training.lamb import Lamb
from variformer.training.optimizer import AdamW, Muon, hyperparameters, keep_own
from variformer.training.rates import Rates
from variformer.training.schedules import Cosine

ADAM = {"lr": 0.3, "beta1": 0.7, "beta2": 0.8, "eps": 1e-3, "weight_decay": 0.5}
OPTIMIZERS = [
    (AdamW, ADAM),
    (Lamb, ADAM),
    (Muon, ADAM | {"adamw_lr": 0.4, "momentum": 0.6}),
    (torch.optim.Adafactor, {"lr": 0.3, "beta2_decay": -0.5, "d": 2.0, "weight_decay": 0.5}),
]


def trained(make, steps: int):
    """An optimizer with its schedule after some steps."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    named = [{"params": [model.weight], "name": "hidden matrices"}, {"params": [model.bias], "name": "vectors"}]
    named[1]["weight_decay"] = 0.0
    optimizer = make(named)
    optimizer.register_load_state_dict_pre_hook(keep_own)
    schedule = Rates(optimizer, lambda step: Cosine(warmup=2)(step, 10))
    for _ in range(steps):
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        schedule.step()
    return optimizer, schedule


@pytest.mark.parametrize("kind, others", OPTIMIZERS, ids=lambda each: getattr(each, "__name__", ""))
def test_equal_hyperparameters_leave_the_state_bit_for_bit(kind, others):
    saved, after = trained(kind, 5), trained(kind, 0)
    for each, state in zip(after, [copy.deepcopy(each.state_dict()) for each in saved], strict=True):
        each.load_state_dict(state)
    assert after[0].state_dict()["param_groups"] == saved[0].state_dict()["param_groups"]
    assert after[1].state_dict() == saved[1].state_dict()


@pytest.mark.parametrize("kind, others", OPTIMIZERS, ids=lambda each: getattr(each, "__name__", ""))
def test_each_hyperparameter_that_is_set_anew_is_applied(kind, others):
    saved, after = trained(kind, 5), trained(partial(kind, **others), 0)
    fresh = [hyperparameters(group) for group in after[0].param_groups]
    for each, state in zip(after, [copy.deepcopy(each.state_dict()) for each in saved], strict=True):
        each.load_state_dict(state)
    assert [hyperparameters(group) for group in after[0].param_groups] == fresh
    factor = Cosine(warmup=2)(5, 10)
    assert [group["lr"] for group in after[0].param_groups] == [each["lr"] * factor for each in fresh]
    assert after[1].last_epoch == 5 and after[1].get_last_lr() == [each["lr"] * factor for each in fresh]
    then = [hyperparameters(group) for group in saved[0].param_groups]
    assert all(one != other for one, other in zip(then, fresh, strict=True))
