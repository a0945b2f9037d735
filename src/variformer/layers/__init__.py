"""The parts that every model is made of.

attention.py, feed_forward.py, block.py, stochastic_depth.py: a block.
by_layer.py: parts that differ from block to block.
positions.py, embedding.py: the input. transformer.py: embedding, positions and blocks together, with the cache.
heads.py: what reads the states. initialise.py: first weights. hidden.py: which matrices are hidden, for Muon.
low_rank.py: what tuning learns beside matrices that stay as they are.
"""

from . import initialise
from .attention import Attention, KeyValues, UnturnedAttention, record_attention
from .block import Block, ParallelBlock, PostNormBlock, PreNormBlock
from .by_layer import ByLayer, DepthScaledNorm, EveryNth, of_layer, stack
from .embedding import PatchEmbedding, TokenEmbedding
from .feed_forward import ACTIVATIONS, Activation, FeedForward, GatedFeedForward
from .heads import PooledHead, TokenHead
from .hidden import matrices_of
from .low_rank import LowRank, LowRankLinear
from .positions import (
    CountedPositions,
    LearnedPositions,
    LinearBiasPositions,
    LocalRotaryPositions,
    Order,
    Positions,
    RelativePositions,
    RotaryPositions,
    SinusoidalPositions,
    Sizes,
)
from .stochastic_depth import StochasticDepth
from .transformer import Cache, Transformer

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Attention",
    "Block",
    "ByLayer",
    "Cache",
    "CountedPositions",
    "DepthScaledNorm",
    "EveryNth",
    "FeedForward",
    "GatedFeedForward",
    "KeyValues",
    "LearnedPositions",
    "LinearBiasPositions",
    "LocalRotaryPositions",
    "LowRank",
    "LowRankLinear",
    "Order",
    "ParallelBlock",
    "PatchEmbedding",
    "PooledHead",
    "Positions",
    "PostNormBlock",
    "PreNormBlock",
    "RelativePositions",
    "RotaryPositions",
    "SinusoidalPositions",
    "Sizes",
    "StochasticDepth",
    "TokenEmbedding",
    "TokenHead",
    "Transformer",
    "UnturnedAttention",
    "initialise",
    "matrices_of",
    "of_layer",
    "record_attention",
    "stack",
]
