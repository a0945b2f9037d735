import pytest
import torch

from variformer.layers import StochasticDepth
from variformer.models import DeiT, ViT


def vit(rate: float, kind: type[ViT] = ViT) -> ViT:
    torch.manual_seed(0)
    sizes = {"image_size": 8, "patch_size": 4, "channels": 1, "width": 16, "depth": 3, "heads": 2, "hidden": 32}
    return kind(stochastic_depth=rate, classes=4, **sizes)


def test_a_sample_is_kept_or_left_out_as_a_whole_mean_unchanged():
    torch.manual_seed(0)
    x = torch.ones(4000, 3, 5)
    y = StochasticDepth(0.3).train()(x)
    assert y.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert ((y == y[:, :1, :1]).all(-1).all(-1)).all()
    assert (y[:, 0, 0] == 0).float().mean() == pytest.approx(0.3, abs=0.03)
    assert y.mean() == pytest.approx(1.0, abs=0.05)


def test_evaluation_leaves_nothing_out():
    x = torch.randn(5, 3)
    assert torch.equal(StochasticDepth(0.9).eval()(x), x)
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(vit(0.5).eval().encoder(images), vit(0.0).eval().encoder(images))
    assert vit(0.5).state_dict().keys() == vit(0.0).state_dict().keys()


@pytest.mark.parametrize("kind", [ViT, DeiT])
def test_the_rate_grows_with_depth(kind):
    rates = [module.rate.item() for module in vit(0.2, kind).modules() if isinstance(module, StochasticDepth)]
    assert rates == [pytest.approx(0.1), pytest.approx(0.2)]  # the first block is never left out


def test_a_rate_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="stochastic depth"):
        StochasticDepth(1.0)
