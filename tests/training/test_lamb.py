import pytest
import torch
from torch import nn

from variformer.training.lamb import Lamb


def test_steps_are_those_of_the_algorithm():
    """You et al., 2019, algorithm 2, with phi the identity."""
    torch.manual_seed(0)
    x = torch.randn(5, 3)
    parameter, gradients = nn.Parameter(x.clone()), [torch.randn(5, 3) for _ in range(4)]
    optimizer = Lamb([{"params": [parameter]}], lr=0.1, beta1=0.8, beta2=0.9, eps=1e-6, weight_decay=0.05)
    m, v = torch.zeros(5, 3), torch.zeros(5, 3)
    for t, g in enumerate(gradients, start=1):
        parameter.grad = g.clone()
        optimizer.step()
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g**2
        r = (m / (1 - 0.8**t)) / ((v / (1 - 0.9**t)).sqrt() + 1e-6)
        update = r + 0.05 * x
        x = x - 0.1 * x.norm() / update.norm() * update
    torch.testing.assert_close(parameter.detach(), x)


def test_a_step_is_a_share_of_the_matrix_whatever_the_gradient():
    for size in (1e-3, 1.0, 1e3):
        parameter = nn.Parameter(torch.randn(6, 4))
        before = parameter.detach().clone()
        parameter.grad = size * torch.randn(6, 4)
        Lamb([{"params": [parameter]}], lr=0.01, weight_decay=0.0).step()
        change = (parameter.detach() - before).norm() / before.norm()
        assert change.item() == pytest.approx(0.01, rel=1e-3)


def test_vectors_take_adams_step():
    ours, theirs = (nn.Parameter(torch.linspace(-1, 1, 7)) for _ in range(2))
    one = Lamb([{"params": [ours]}], lr=0.01, beta2=0.95, eps=1e-8, weight_decay=0.0)
    two = torch.optim.Adam([theirs], lr=0.01, betas=(0.9, 0.95), eps=1e-8)
    for _ in range(5):
        ours.grad = torch.randn(7)
        theirs.grad = ours.grad.clone()
        one.step()
        two.step()
    torch.testing.assert_close(ours, theirs)


def test_a_matrix_of_zeros_can_begin():
    parameter = nn.Parameter(torch.zeros(3, 3))
    parameter.grad = torch.ones(3, 3)
    Lamb([{"params": [parameter]}], lr=0.01).step()
    torch.testing.assert_close(parameter.detach(), torch.full((3, 3), -0.01))


def test_it_goes_on_from_its_state():
    torch.manual_seed(0)
    gradients = [torch.randn(4, 4) for _ in range(6)]

    def run(parameter, optimizer, some):
        for gradient in some:
            parameter.grad = gradient.clone()
            optimizer.step()

    whole, part = (nn.Parameter(torch.eye(4)) for _ in range(2))
    run(whole, Lamb([{"params": [whole]}]), gradients)
    first = Lamb([{"params": [part]}])
    run(part, first, gradients[:3])
    again = Lamb([{"params": [part]}])
    again.load_state_dict(first.state_dict())
    run(part, again, gradients[3:])
    assert torch.equal(whole, part)
