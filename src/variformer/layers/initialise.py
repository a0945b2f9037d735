"""Initial weights, as the papers and their reference code draw them. Biases start at zero, norms at one."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from .attention import Attention
from .block import Block
from .embedding import PatchEmbedding
from .feed_forward import FeedForward, GatedFeedForward
from .positions import RelativePositions

Draw = Callable[[Tensor], Tensor]
STD = 0.02  # of BERT's, GPT-2's and BART's embeddings and matrices


def normal_(tensor: Tensor, std: float) -> Tensor:
    """Normal around zero. On the meta device, where it would only take time, it does nothing."""
    return tensor if tensor.is_meta else nn.init.normal_(tensor, std=std)


def draw_all(model: nn.Module, draw: Draw) -> None:
    """Every matrix, embedding and convolution from one distribution, every bias zero."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding | nn.Conv2d):
            for name, parameter in module.named_parameters(recurse=False):
                nn.init.zeros_(parameter) if name == "bias" else draw(parameter)


def draw_outputs(model: nn.Module, draw: Draw) -> None:
    """The matrices that write into the residual stream."""
    for module in model.modules():
        if isinstance(module, Attention):
            draw(module.output.weight)
        elif isinstance(module, FeedForward):
            draw(module.narrow.weight)


def draw_scores(model: nn.Module) -> None:
    """The scores of relative positions, as their own paper's code draws them (T5, Raffel et al., 2019)."""
    for module in model.modules():
        if isinstance(module, RelativePositions):
            normal_(module.scores.weight, std=module.std)


def bert(model: nn.Module, std: float = STD) -> None:
    """Normal, cut off at two standard deviations (Devlin et al., 2018; their `initializer_range`)."""
    draw_all(model, partial(nn.init.trunc_normal_, std=std, a=-2 * std, b=2 * std))
    draw_scores(model)


def bart(model: nn.Module, std: float = STD) -> None:
    """Normal (Lewis et al., 2019; their `init_std`)."""
    draw_all(model, partial(normal_, std=std))
    draw_scores(model)


def gpt2(model: nn.Module, depth: int, std: float = STD) -> None:
    """Normal, and smaller where 2 * depth layers add up in the residual stream (Radford et al., 2019, section 2.3)."""
    draw_all(model, partial(normal_, std=std))
    draw_outputs(model, partial(normal_, std=std / (2 * depth) ** 0.5))
    draw_scores(model)


def modern_bert(model: nn.Module, depth: int, std: float = STD) -> None:
    """As BERT, and smaller where layers add up, and in the first layer of the heads (Warner et al., 2024; their code).

    The embeddings are those of BERT, though a tied head would be smaller too.
    """
    bert(model, std)
    smaller = std / (2 * depth) ** 0.5
    draw = partial(nn.init.trunc_normal_, std=smaller, a=-2 * smaller, b=2 * smaller)
    draw_outputs(model, draw)
    draw_all(model.get_submodule("transform"), draw)


def t5(model: nn.Module, width: int, embedding_std: float = 1.0) -> None:
    """Each matrix by what it reads: activations keep unit variance without a scaled product (Raffel et al., 2019).

    The factors are those of the reference code: embeddings 1, queries (D W)^-1/2, keys and values D^-1/2, outputs
    (H W)^-1/2, feed-forward D^-1/2 and F^-1/2, position scores D^-1/2, and an untied head D^-1/2. Where products are
    scaled after all, queries are larger by as much, so that the model starts as the same function. Norms of
    queries and keys would undo that: there the queries' gain makes the first products' variance one.
    """
    draw_all(model, partial(normal_, std=embedding_std))
    for module in model.modules():
        if isinstance(module, Attention):
            inner = module.query.out_features
            normal_(module.query.weight, std=(width * inner / module.heads) ** -0.5 / module.scale)
            normal_(module.key.weight, std=width**-0.5)
            normal_(module.value.weight, std=width**-0.5)
            normal_(module.output.weight, std=inner**-0.5)
            if isinstance(gain := getattr(module.query_norm, "weight", None), Tensor):
                nn.init.constant_(gain, (inner / module.heads) ** -0.5 / module.scale)
        elif isinstance(module, FeedForward):
            normal_(module.widen.weight, std=width**-0.5)
            normal_(module.narrow.weight, std=module.narrow.in_features**-0.5)
            if isinstance(module, GatedFeedForward):
                normal_(module.gate.weight, std=width**-0.5)
        elif isinstance(module, RelativePositions):
            draw_scores(module)


def deit(model: nn.Module, std: float = STD) -> None:
    """Truncated normal, special tokens included (Touvron et al., 2020, section 6).

    Their code leaves the patches' matrix as PyTorch draws it: uniform within fan_in^-1/2.
    """
    bert(model, std)
    for module in model.modules():
        if isinstance(module, PatchEmbedding):
            nn.init.trunc_normal_(module.specials, std=std, a=-2 * std, b=2 * std)
            bound = module.patches.weight[0].numel() ** -0.5
            nn.init.uniform_(module.patches.weight, -bound, bound)


def vit(model: nn.Module) -> None:
    """Glorot for the blocks, LeCun for the patches, positions normal 0.02 (Dosovitskiy et al., 2020; their code)."""
    draw_all(model, partial(normal_, std=0.02))
    for module in model.modules():
        if isinstance(module, Block):
            draw_all(module, nn.init.xavier_uniform_)
        elif isinstance(module, PatchEmbedding):
            fan_in = module.patches.weight[0].numel()
            nn.init.trunc_normal_(module.patches.weight, std=fan_in**-0.5)
            nn.init.zeros_(module.specials)
    draw_scores(model)
