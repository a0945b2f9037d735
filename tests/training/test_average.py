from types import SimpleNamespace

import torch
from torch import nn

from variformer.training.callbacks import MovingAverage
from variformer.training.validation.average import evaluation_weights


def test_the_average_follows_its_formula_and_is_evaluated():
    module = SimpleNamespace(model=nn.Linear(2, 2, bias=False))
    callback, trainer = MovingAverage(decay=0.9), SimpleNamespace(global_step=0)
    callback.on_train_start(trainer, module)
    expected = module.model.weight.detach().clone()
    for step in range(1, 30):
        with torch.no_grad():
            module.model.weight.add_(step)
        trainer.global_step = step
        callback.on_train_batch_end(trainer, module, None, None, 0)
        callback.on_train_batch_end(trainer, module, None, None, 0)  # a second micro batch of the same step
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * module.model.weight.detach()
    weights = module.model.weight.detach().clone()
    callback.on_validation_start(trainer, module)
    torch.testing.assert_close(module.model.weight.detach(), expected)
    callback.on_validation_end(trainer, module)
    assert torch.equal(module.model.weight, weights)
    checkpoint = {"state_dict": {"model.weight": weights}, "callbacks": {"MovingAverage": callback.state_dict()}}
    torch.testing.assert_close(evaluation_weights(checkpoint)["model.weight"], expected)


def test_weights_of_16_bits_are_averaged_in_32():
    """Steps of a thousandth of the way would all be rounded away."""
    module = SimpleNamespace(model=nn.Linear(4, 4, bias=False, dtype=torch.bfloat16))
    nn.init.constant_(module.model.weight, 1.0)
    callback = MovingAverage(decay=0.999)
    callback.load_state_dict({"average": {"weight": torch.zeros(4, 4)}, "updated_step": 10_000})
    callback.on_train_start(None, module)
    for step in range(10_001, 10_501):
        callback.on_train_batch_end(SimpleNamespace(global_step=step), module, None, None, 0)
    expected = torch.full((4, 4), 1 - 0.999**500)
    torch.testing.assert_close(callback.average["weight"], expected)
    callback.on_validation_start(None, module)
    assert torch.equal(module.model.weight, expected.bfloat16())
    callback.leave_validation(module)
    assert torch.equal(module.model.weight, torch.ones(4, 4, dtype=torch.bfloat16))
    torch.testing.assert_close(callback.average["weight"], expected)


def test_without_an_average_the_weights_are_the_weights():
    assert evaluation_weights({"state_dict": {"a": 1}, "callbacks": {"Curves": {}}}) == {"a": 1}
