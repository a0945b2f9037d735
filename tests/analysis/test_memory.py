"""The estimate of a training step's memory, against what PyTorch's allocator reports of a real one."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from variformer.analysis.memory import Memory, computing, optimizer_memory, readable, size, training_memory
from variformer.models import GPT, ViT
from variformer.objectives.image_classification import ImageClassification
from variformer.objectives.next_token import NextToken
from variformer.training.lamb import Lamb
from variformer.training.optimizer import AdamW, Muon, decay_groups

CPU = torch.device("cpu")
OPTIMIZERS = {"adamw": AdamW, "muon": Muon, "lamb": Lamb, "adafactor": torch.optim.Adafactor}


def gpt(vocabulary, samples: int = 4, dropout: float = 0.1):
    model = GPT(vocab_size=1000, width=64, depth=3, heads=4, hidden=256, max_length=64, dropout=dropout)
    tokens = torch.randint(1000, (samples, 64))
    return model, NextToken(vocabulary, 64), {"tokens": tokens, "targets": tokens, "count": samples * 64}


def vit(samples: int = 8):
    model = ViT(image_size=32, patch_size=4, classes=10, width=64, depth=2, heads=4, hidden=256, dropout=0.1)
    objective = ImageClassification(SimpleNamespace(classes=10))
    images, labels = torch.randn(samples, 3, 32, 32), torch.randint(10, (samples,))
    return model, objective, {"images": images, "labels": labels, "count": samples}


def measured(model, objective, batch, optimizer, precision="32-true", checkpointing=False, accumulates=False) -> int:
    """Bytes at the peak of the second step, by the allocator's own account of every allocation and release."""
    if precision == "bf16-true":
        model = model.bfloat16()
    for module in model.modules():
        if hasattr(module, "checkpointing"):
            module.checkpointing = checkpointing
    steps = optimizer(model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    steps.step()
    if not accumulates:
        steps.zero_grad()
    states = [x for state in steps.state.values() for x in state.values() if isinstance(x, torch.Tensor)]
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    before = size([*model.parameters(), *model.buffers(), *states, *gradients])
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        inputs = {name: x.clone() if isinstance(x, torch.Tensor) else x for name, x in batch.items()}
        if precision == "bf16-true":
            inputs = {n: x.bfloat16() if torch.is_tensor(x) and x.is_floating_point() else x for n, x in inputs.items()}
        with computing(precision, CPU):
            loss = objective(model, inputs).loss
        loss.backward()
        del loss
        steps.step()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    assert events
    return before + peak


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("gpt", {}),
        ("gpt", {"accumulates": True, "optimizer": "muon"}),
        ("gpt", {"checkpointing": True, "optimizer": "lamb"}),
        ("gpt", {"precision": "bf16-mixed"}),
        ("vit", {"precision": "bf16-true", "accumulates": True}),
        ("vit", {"checkpointing": True, "optimizer": "adafactor"}),
    ],
    ids=str,
)
def test_the_estimate_is_what_a_step_takes(vocabulary, family, settings):
    """Within 3%: kernels take scratch memory of their own, which matters in models as small as these."""
    model, objective, batch = gpt(vocabulary) if family == "gpt" else vit()
    kind = OPTIMIZERS[settings.get("optimizer", "adamw")]
    options = {name: value for name, value in settings.items() if name != "optimizer"}

    def optimizer(model):
        return kind(decay_groups(model))

    estimated = training_memory(model, objective, batch, optimizer, device=CPU, **options)
    assert estimated.total == pytest.approx(measured(model, objective, batch, optimizer, **options), rel=0.03)


def test_estimates_tell_settings_apart(vocabulary):
    """The control: what is off by 3% at most differs by far more between settings."""
    estimate = partial(training_memory, optimizer=lambda model: AdamW(decay_groups(model)), device=CPU)
    present = estimate(*gpt(vocabulary)).total
    assert estimate(*gpt(vocabulary, samples=2)).total < 0.7 * present
    assert estimate(*gpt(vocabulary), checkpointing=True).total < 0.7 * present
    assert estimate(*gpt(vocabulary, dropout=0.0)).total < 0.9 * present


def test_an_estimate_leaves_everything_as_it_was(vocabulary):
    model, objective, batch = gpt(vocabulary)
    model.eval()
    state, weights = torch.get_rng_state(), {name: x.clone() for name, x in model.state_dict().items()}
    training_memory(model, objective, batch, lambda m: AdamW(decay_groups(m)), device=CPU, checkpointing=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(weights[name], x) for name, x in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.training and not model.decoder.checkpointing


def test_shared_weights_and_the_optimizers_state_count_once(vocabulary):
    model, objective, batch = gpt(vocabulary)
    memory = training_memory(model, objective, batch, lambda m: AdamW(decay_groups(m)), device=CPU)
    bytes_ = 4 * sum(parameter.numel() for parameter in model.parameters())
    assert memory.weights == size(model.parameters()) == bytes_  # the head's matrix is the embedding's
    assert memory.gradients == bytes_
    assert 2 * bytes_ <= memory.optimizer < 2.01 * bytes_
    assert optimizer_memory(model, lambda m: AdamW(decay_groups(m))) == memory.optimizer


def test_devices_that_share_a_model_have_a_part_of_it_each():
    whole = Memory(weights=100, gradients=101, optimizer=200, activations=1000, copies=100)
    assert whole.total == 1501
    assert whole.sharded(2) == Memory(50, 51, 100, 1000, copies=50)


@pytest.mark.parametrize(("number", "words"), [(12, "12 B"), (1024, "1 KiB"), (3_650_722_201, "3.4 GiB")])
def test_bytes_are_readable(number, words):
    assert readable(number) == words
