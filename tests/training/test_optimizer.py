from functools import partial

import pytest
import torch
from torch import nn

from variformer.models import GPT, Albert, Bert, DeiT, ViT
from variformer.training.optimizer import SGD, AdamW, Muon, decay_groups, decay_groups_of_before, orthogonalise


def small():
    torch.manual_seed(0)
    return GPT(vocab_size=50, width=16, depth=2, heads=2, hidden=32, max_length=16, dropout=0.0)


def test_each_parameter_is_in_one_group_and_no_vector_decays():
    model = small()
    groups = decay_groups(model)
    grouped = [p for group in groups for p in group["params"]]
    assert len(grouped) == len({id(p) for p in grouped}) == len(list(model.parameters()))
    by_name = {group["name"]: group for group in groups}
    assert all(p.dim() < 2 for p in by_name["vectors"]["params"])
    assert by_name["vectors"]["weight_decay"] == 0.0
    assert len(by_name["hidden matrices"]["params"]) == 2 * 6
    assert {p.shape[0] for p in by_name["embeddings and heads"]["params"]} == {50, 16}


def test_the_matrix_that_widens_embeddings_is_a_hidden_one():
    model = Albert(vocab_size=50, embedding_width=4, width=16, depth=2, heads=2, hidden=32, max_length=20)
    by_name = {group["name"]: group["params"] for group in decay_groups(model)}
    assert len(by_name["hidden matrices"]) == 1 + 6 + 2  # the block's, and those inside the heads
    assert sorted(p.shape[0] for p in by_name["embeddings and heads"]) == [2, 2, 20, 50]  # pairs, segments, ...


SIZES = {"width": 16, "depth": 2, "heads": 2, "hidden": 32}
IMAGES = {"image_size": 8, "patch_size": 4, "classes": 3}


def undecayed_matrices(model: nn.Module) -> set[str]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    still = [group for group in decay_groups(model) if group.get("weight_decay") == 0.0]
    return {names[id(p)] for group in still for p in group["params"] if p.dim() >= 2}


@pytest.mark.parametrize("kind", [ViT, DeiT])
def test_special_tokens_and_positions_of_images_do_not_decay(kind):
    """timm's no_weight_decay: pos_embed, cls_token and dist_token."""
    expected = {"encoder.embedding.specials", "encoder.positions.table.weight"}
    assert undecayed_matrices(kind(**IMAGES, **SIZES)) == expected


@pytest.mark.parametrize("kind", [GPT, Bert])
def test_positions_of_texts_decay_as_in_their_reference_code(kind):
    """google-research/bert leaves out norms and biases alone; nanoGPT what has fewer than two dimensions."""
    assert undecayed_matrices(kind(vocab_size=50, max_length=16, **SIZES)) == set()


def test_a_part_says_itself_what_does_not_decay():
    class Part(nn.Linear):
        def undecayed(self):
            return [self.weight]

    model = nn.Sequential(Part(3, 3), nn.Linear(3, 3))
    assert undecayed_matrices(model) == {"0.weight"}
    assert all("weight_decay" not in g for g in decay_groups_of_before(model) if g["name"] != "vectors")


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 32, 8), (2, 8, 32)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_muon_steps_as_the_formula_says():
    torch.manual_seed(0)
    matrix = nn.Parameter(torch.randn(8, 4))
    before, gradients = matrix.detach().clone(), [torch.randn(8, 4) for _ in range(3)]
    optimizer = Muon([{"params": [matrix], "name": "hidden matrices"}], lr=0.1, momentum=0.9, weight_decay=0.5)
    momentum = torch.zeros(8, 4)
    for gradient in gradients:
        matrix.grad = gradient.clone()
        optimizer.step()
        momentum = 0.9 * momentum + 0.1 * gradient
        update = orthogonalise((0.1 * gradient + 0.9 * momentum)[None])[0] * (8 / 4) ** 0.5
        before = before * (1 - 0.1 * 0.5) - 0.1 * update
    torch.testing.assert_close(matrix.detach(), before)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_steps_as_the_formula_says(nesterov):
    matrix, vector = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    groups = decay_groups(nn.ParameterList([matrix, vector]))
    optimizer = SGD(groups, lr=0.1, momentum=0.5, nesterov=nesterov, weight_decay=0.2)
    expected = {matrix: torch.ones(2, 2), vector: torch.ones(2)}
    momenta = {matrix: torch.zeros(2, 2), vector: torch.zeros(2)}
    for gradient in (1.0, -2.0, 3.0):
        for parameter, decay in ((matrix, 0.2), (vector, 0.0)):
            parameter.grad = torch.full_like(parameter, gradient)
            decayed = gradient + decay * expected[parameter]
            momenta[parameter] = 0.5 * momenta[parameter] + decayed
            ahead = decayed + 0.5 * momenta[parameter] if nesterov else momenta[parameter]
            expected[parameter] = expected[parameter] - 0.1 * ahead
        optimizer.step()
    for parameter, value in expected.items():
        torch.testing.assert_close(parameter.detach(), value)


def test_muon_follows_its_parameters_to_their_device():
    """As PyTorch does with all that it loads from a checkpoint on the CPU, but for what is called `step`."""
    parameter = nn.Parameter(torch.ones(3, device="meta"))
    optimizer = Muon([{"params": [parameter], "name": "vectors"}])
    optimizer.state[parameter]["step"] = torch.tensor(5.0)
    assert optimizer.state_of(parameter, "step").device.type == "meta"
    assert optimizer.state[parameter]["step"].device.type == "meta"


def test_the_rest_of_muon_is_adamw():
    start = torch.randn(6, 5)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    one = Muon([{"params": [ours], "name": "embeddings and heads"}], adamw_lr=0.01, weight_decay=0.1, beta2=0.95)
    two = torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1, betas=(0.9, 0.95))
    for _ in range(5):
        ours.grad = torch.randn(6, 5)
        theirs.grad = ours.grad.clone()
        one.step()
        two.step()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("make", [partial(AdamW, lr=1e-2), Muon, partial(SGD, nesterov=True)])
def test_a_restored_optimizer_goes_on_exactly(make):
    tokens = torch.randint(50, (4, 8), generator=torch.Generator().manual_seed(1))

    def steps(model, optimizer, count):
        for _ in range(count):
            loss = nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    model = small()
    optimizer = make(decay_groups(model))
    steps(model, optimizer, 3)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.utils._pytree.tree_map(
        lambda x: x.clone() if isinstance(x, torch.Tensor) else x, optimizer.state_dict()
    )
    steps(model, optimizer, 3)
    again = small()
    again.load_state_dict(weights)
    restored = make(decay_groups(again))
    restored.load_state_dict(state)
    steps(again, restored, 3)
    for one, two in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)
