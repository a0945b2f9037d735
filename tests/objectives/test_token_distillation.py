from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from variformer.models import Bert, DistilBert
from variformer.objectives.masked_tokens import MaskedTokens
from variformer.objectives.next_token import NextToken
from variformer.objectives.token_distillation import TokenDistillation

LENGTH = 16
KEYS = np.arange(6, dtype=np.uint64)


def model(kind: type[Bert], depth: int, seed: int, **sizes) -> Bert:
    torch.manual_seed(seed)
    return kind(
        **{"vocab_size": 1000, "width": 16, "depth": depth, "heads": 2, "hidden": 32, "max_length": LENGTH}
        | {"dropout": 0.0}
        | sizes
    )


@pytest.fixture(scope="module")
def batch(vocabulary):
    """Six rows, two of them with padding, and different numbers of chosen tokens."""
    random = np.random.default_rng(0)
    windows = random.integers(5, 900, (6, LENGTH - 2))
    windows[1, 9:], windows[4, 3:] = -1, -1
    task = MaskedTokens(vocabulary, LENGTH, rate=0.3)
    return task.collate([{"tokens": row} for row in windows], KEYS, train=True)


def distillation(vocabulary, teacher: nn.Module | None, **options) -> TokenDistillation:
    objective = TokenDistillation(vocabulary, LENGTH, task=partial(MaskedTokens, rate=0.3), **options)
    if teacher is not None:
        objective.learn_from(teacher)
    return objective


def reference(student: Bert, teacher: Bert, batch: dict, restrict_ce_to_mask: bool) -> torch.Tensor:
    """What one step of Hugging Face's distiller computes (research_projects/distillation/distiller.py), temperature 2,
    weights 5, 2 and 1; with every token scored, as there."""
    tokens = batch["tokens"]
    attention_mask = tokens != 0
    labels = torch.full(tokens.shape, -100)
    real = batch["targets"] >= 0
    labels.view(-1)[batch["predict"][real]] = batch["targets"][real]
    s_logits, _, s_states = student(tokens, attention_mask)
    with torch.no_grad():
        t_logits, _, t_states = teacher(tokens, attention_mask)
    mask = (labels > -1 if restrict_ce_to_mask else attention_mask).unsqueeze(-1).expand_as(s_logits)
    s_chosen = torch.masked_select(s_logits, mask).view(-1, s_logits.size(-1))
    t_chosen = torch.masked_select(t_logits, mask).view(-1, s_logits.size(-1))
    loss = 5.0 * nn.KLDivLoss(reduction="batchmean")((s_chosen / 2).log_softmax(-1), (t_chosen / 2).softmax(-1)) * 4
    loss = loss + 2.0 * nn.CrossEntropyLoss(ignore_index=-100)(s_logits.view(-1, s_logits.size(-1)), labels.view(-1))
    mask = attention_mask.unsqueeze(-1).expand_as(s_states)
    s_chosen, t_chosen = (torch.masked_select(x, mask).view(-1, x.size(-1)) for x in (s_states, t_states))
    return loss + nn.CosineEmbeddingLoss(reduction="mean")(s_chosen, t_chosen, torch.ones(len(s_chosen)))


@pytest.mark.parametrize("everywhere", [False, True])
def test_loss_and_gradients_equal_the_published_code(vocabulary, batch, everywhere):
    teacher, student, twin = model(Bert, 4, 0), model(DistilBert, 2, 1), model(DistilBert, 2, 1)
    objective = distillation(vocabulary, teacher, everywhere=everywhere)
    scores = objective(student, batch)
    expected = reference(twin, teacher, batch, restrict_ce_to_mask=not everywhere)
    torch.testing.assert_close(scores.loss, expected)
    scores.loss.backward()
    expected.backward()
    for ours, theirs in zip(student.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)
    assert all(p.grad is None for p in teacher.parameters())


def test_weights_choose_what_is_learned(vocabulary, batch):
    teacher, student = model(Bert, 4, 0), model(DistilBert, 2, 1)
    zero = {"scores_weight": 0.0, "task_weight": 0.0, "states_weight": 0.0}
    parts = {
        name: distillation(vocabulary, teacher, **zero | {name: 1.0})(student, batch).loss
        for name in ("scores_weight", "task_weight", "states_weight")
    }
    whole = distillation(vocabulary, teacher)(student, batch).loss
    expected = 5 * parts["scores_weight"] + 2 * parts["task_weight"] + parts["states_weight"]
    torch.testing.assert_close(whole, expected)
    plain = MaskedTokens(vocabulary, LENGTH, rate=0.3)(student, batch).loss
    torch.testing.assert_close(parts["task_weight"], plain)


def test_a_perfect_pupil_has_only_the_task_to_learn(vocabulary, batch):
    teacher, student = model(Bert, 2, 0), model(Bert, 2, 0)
    scores = distillation(vocabulary, teacher)(student, batch)
    assert scores.ratios["divergence"].total.abs() < 1e-4 and scores.ratios["states"].total.abs() < 1e-4
    plain = MaskedTokens(vocabulary, LENGTH, rate=0.3)(student, batch).loss
    torch.testing.assert_close(scores.loss, 2 * plain, rtol=1e-4, atol=1e-4)


def test_evaluation_is_the_tasks_own_and_needs_no_teacher(vocabulary, batch):
    student, task = model(DistilBert, 2, 1), MaskedTokens(vocabulary, LENGTH, rate=0.3)
    objective = distillation(vocabulary, None).eval()
    ours, expected = objective(student, batch), task(student, batch)
    assert ours.ratios.keys() == expected.ratios.keys()
    torch.testing.assert_close(ours.loss, expected.loss, rtol=0, atol=0)
    assert objective.derive({"masked_loss": 2.0, "masked_accuracy": 0.5}) == {"loss": 2.0}
    with pytest.raises(ValueError, match="trains with a teacher"):
        objective.train()(student, batch)


def test_the_teacher_stays_what_it_is(vocabulary, batch):
    teacher, student = model(Bert, 2, 0, dropout=0.5), model(DistilBert, 1, 1)
    objective = distillation(vocabulary, teacher).train()
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    optimizer = torch.optim.SGD([*student.parameters(), *objective.parameters()], lr=0.1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        losses.append(objective(student, batch).loss)
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0]
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())
    assert not objective.state_dict() and not list(objective.parameters()) and not teacher.training


def test_other_widths_need_no_states(vocabulary, batch):
    teacher, student = model(Bert, 2, 0, width=32), model(DistilBert, 1, 1)
    with pytest.raises(ValueError, match=r"states_weight=0"):
        distillation(vocabulary, teacher)(student, batch)
    scores = distillation(vocabulary, teacher, states_weight=0.0)(student, batch)
    assert torch.isfinite(scores.loss) and "states" not in scores.ratios


def test_another_vocabulary_is_refused(vocabulary, batch):
    teacher, student = model(Bert, 2, 0, vocab_size=1001), model(DistilBert, 1, 1)
    with pytest.raises(ValueError, match="1001"):
        distillation(vocabulary, teacher)(student, batch)


def test_settings_that_mean_nothing_are_refused(vocabulary):
    with pytest.raises(ValueError, match="temperature"):
        distillation(vocabulary, None, temperature=0.0)
    with pytest.raises(ValueError, match="no weight negative"):
        distillation(vocabulary, None, states_weight=-1.0)
    with pytest.raises(ValueError, match="NextToken"):
        TokenDistillation(vocabulary, LENGTH, task=NextToken)
