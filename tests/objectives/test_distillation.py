import pytest
import torch
import torch.nn.functional as F
from torch import nn

from variformer.models import Bert, DistilBert
from variformer.objectives.distillation import Teacher, copy_layers, divergence


def bert(kind: type[Bert] = Bert, **sizes) -> Bert:
    return kind(**{"vocab_size": 50, "width": 16, "heads": 2, "hidden": 32, "max_length": 12} | sizes)


def same(ours: nn.Module, theirs: nn.Module) -> bool:
    mine, other = ours.state_dict(), theirs.state_dict()
    return mine.keys() == other.keys() and all(torch.equal(mine[name], other[name]) for name in mine)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_divergence_is_the_sum_that_defines_it(temperature):
    student, teacher = torch.randn(2, 6, 9, generator=torch.Generator().manual_seed(0)).double()
    p, q = ((scores / temperature).softmax(-1) for scores in (teacher, student))
    expected = temperature**2 * (p * (p / q).log()).sum(-1)
    torch.testing.assert_close(divergence(student, teacher, temperature), expected.float())
    assert divergence(teacher, teacher, temperature).abs().max() < 1e-6


def test_the_temperature_leaves_the_size_of_gradients():
    """Hinton et al., 2015, section 2.1: at high temperatures they tend to the difference of the scores over V."""
    student = torch.randn(3, 7).double().requires_grad_()
    teacher = torch.randn(3, 7).double()
    T, difference = 1000.0, student.detach() - teacher
    divergence(student, teacher, T).sum().backward()
    expected = (difference - difference.mean(-1, keepdim=True)) / 7
    torch.testing.assert_close(student.grad, expected, atol=1e-3, rtol=0)


def test_a_teacher_never_changes_and_uses_no_random_numbers():
    model = bert(depth=2, dropout=0.5).train()
    student, tokens = bert(depth=1), torch.arange(10)[None]
    teacher = Teacher(model)
    before = torch.get_rng_state()
    answers = [teacher(student, tokens).tokens for _ in range(2)]
    assert torch.equal(*answers) and torch.equal(before, torch.get_rng_state())
    assert not answers[0].requires_grad and not any(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("place", [{"device": "meta"}, {"dtype": torch.bfloat16}])
def test_a_teacher_answers_on_the_students_device(place):
    teacher, images = Teacher(nn.Linear(3, 2)), torch.randn(4, 3)
    here = teacher(nn.Linear(3, 2), images)
    there = teacher(nn.Linear(3, 2).to(**place), images.to(**place))
    assert (there.device.type, there.dtype) == (place.get("device", "cpu"), place.get("dtype", torch.float32))
    assert torch.equal(teacher(nn.Linear(3, 2), images), here)


def test_a_holder_of_a_teacher_does_not_own_it():
    holder = nn.Linear(2, 2)
    holder.teacher = Teacher(bert(depth=1))
    assert set(holder.state_dict()) == {"weight", "bias"} and len(list(holder.parameters())) == 2
    holder.train()
    assert not holder.teacher.model.training


def test_every_second_layer_is_copied_with_embeddings_and_head():
    teacher, student = bert(depth=4), bert(DistilBert, depth=2)
    copy_layers(teacher, student, [0, 2])
    assert same(student.encoder.blocks[0], teacher.encoder.blocks[0])
    assert same(student.encoder.blocks[1], teacher.encoder.blocks[2])
    assert same(student.token_head, teacher.token_head) and same(student.encoder.positions, teacher.encoder.positions)
    assert same(student.encoder.entry, teacher.encoder.entry)
    assert student.token_head.scores.weight is student.encoder.embedding.tokens.weight


def test_all_layers_copied_make_the_same_model():
    teacher, student = bert(depth=3).eval(), bert(depth=3).eval()
    copy_layers(teacher, student, [0, 1, 2])
    tokens = torch.arange(10)[None]
    torch.testing.assert_close(student(tokens).tokens, teacher(tokens).tokens, rtol=0, atol=0)


@pytest.mark.parametrize(
    "layers, sizes, message",
    [
        ([0], {}, "1 layers, the student has 2"),
        ([0, 4], {}, r"encoder\.blocks\.4"),
        ([0, 2], {"width": 8}, r"model\.width"),
        ([0, 2], {"vocab_size": 40}, r"token_head\.scores"),
    ],
)
def test_what_cannot_be_copied_is_named_and_nothing_is(layers, sizes, message):
    teacher, student = bert(depth=4), bert(DistilBert, depth=2, **sizes)
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        copy_layers(teacher, student, layers)
    assert all(torch.equal(before[name], tensor) for name, tensor in student.state_dict().items())


def test_divergence_equals_torch_kl():
    student, teacher = torch.randn(2, 5, 8)
    expected = F.kl_div((student / 2).log_softmax(-1), (teacher / 2).softmax(-1), reduction="batchmean") * 4
    torch.testing.assert_close(divergence(student, teacher, 2.0).mean(), expected)
