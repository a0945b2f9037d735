"""What the rest of Variformer needs of a model, one class for each kind. A model derives from the class of its kind.

A model that builds the named parts in its `__init__` gets the methods from here; it overrides those that its paper has
otherwise. A model in a package of your own may derive from these classes too, or have the same attributes.
"""

from typing import ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from ..layers import Cache, PooledHead, TokenHead, Transformer

# Shapes: B batch, T tokens, S source tokens, V vocabulary, D model width, N positions that are asked for.

SpecialToken = Literal["start", "end", "pad"]  # by its name in a tokenizer


class TextModel(nn.Module):
    """A model that reads tokens and has a state for each of them. A head for a task can read these states (`Tuned`)."""

    kind: ClassVar[str]  # which objectives train the model, and which classes of transformers have its heads
    objective: ClassVar[str]  # the class in `variformer.objectives` of its paper's task; it evaluates imported models
    pipeline: ClassVar[str]  # what Hugging Face's hub calls its task
    head_names: ClassVar[tuple[str, ...]]  # the submodules that read the states; a head for a task replaces them
    causal: ClassVar[bool] = False  # whether a token's state has read only the tokens before it
    width: int  # D, of the states

    def states(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """(B, T) tokens -> (B, T, D). `mask` is True at real tokens. Most models ignore `segments`."""
        raise NotImplementedError(f"{type(self).__name__} has no `states`, which a head for a task reads")


class Predictions(NamedTuple):
    tokens: Tensor  # (B, T, V), or (N, V) for the N positions asked for
    pair: Tensor | None  # (B, 2): class 0 for "the second segment follows the first"
    states: Tensor  # (B, T, D), the last layer's, which the heads read


class MaskedLanguageModel(TextModel):
    """An encoder that fills in masked tokens. With a `pair_head` it also classifies pairs of segments.

    `pair_objective` is the objective of a model whose pair head is trained, where its paper trains one.
    """

    kind: ClassVar = "encoder with a token head"
    objective: ClassVar[str] = "MaskedTokens"
    pair_objective: ClassVar[str | None] = None
    pipeline: ClassVar = "fill-mask"
    head_names: ClassVar[tuple[str, ...]] = ("token_head", "pair_head")

    encoder: Transformer
    token_head: TokenHead
    pair_head: PooledHead | None

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        segments: Tensor | None = None,
        predict: Tensor | None = None,
    ) -> Predictions:
        """(B, T) tokens, True in `mask` where they are real -> scores of the token at each position, and of the pair.

        `predict`, (N,) positions counted through the whole batch (row * T + column), asks only for their scores:
        the vocabulary's matrix is most of a small model's work.
        """
        states = self.states(tokens, mask, segments)
        pair = self.pair_head(states[:, 0]) if self.pair_head is not None else None
        chosen = states if predict is None else states.flatten(0, 1)[predict]
        return Predictions(self.token_head(chosen), pair, states)

    def states(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """(B, T) tokens -> (B, T, D), the states of the last layer, which the heads read."""
        return self.encoder(tokens, segments, mask=mask)


class CausalLanguageModel(TextModel):
    """A decoder that predicts each token from those before it."""

    kind: ClassVar = "causal decoder"
    objective: ClassVar[str] = "NextToken"
    pipeline: ClassVar = "text-generation"
    head_names: ClassVar[tuple[str, ...]] = ("head",)
    causal: ClassVar = True

    decoder: Transformer
    head: TokenHead

    def forward(self, tokens: Tensor, mask: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        """(B, T) tokens -> (B, T, V) scores of the token that follows each of them."""
        return self.head(self.decoder(tokens, mask=mask, cache=cache))

    def next_scores(self, tokens: Tensor, mask: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        """(B, T) tokens -> (B, V) scores of the token that follows the last of them.

        `mask`, (B, K), covers the tokens in the cache as well. Padding stands on the left.
        """
        return self.head(self.decoder(tokens, mask=mask, cache=cache)[:, -1])

    def states(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """(B, T) tokens -> (B, T, D), the states of the last layer. `segments` are ignored."""
        return self.decoder(tokens, mask=mask)

    def new_cache(self) -> Cache:
        """An empty cache for decoding step by step."""
        return self.decoder.new_cache()


class EncoderDecoder(TextModel):
    """An encoder reads the source; a decoder reads the encoder's states and predicts each target token."""

    kind: ClassVar = "encoder-decoder"
    pipeline: ClassVar = "text2text-generation"
    start_token: ClassVar[SpecialToken]  # the token that a target begins with
    source_token: ClassVar[SpecialToken | None] = None  # the token that a source begins with; all end with "end"
    last_token: ClassVar[SpecialToken | None] = None  # that generation writes where it reaches its longest text
    head_names: ClassVar[tuple[str, ...]] = ("decoder", "head")

    encoder: Transformer
    decoder: Transformer
    head: TokenHead

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        source_mask: Tensor | None = None,
        target_mask: Tensor | None = None,
    ) -> Tensor:
        """Source (B, S), target so far (B, T) -> (B, T, V) scores of the next target token."""
        return self.decode(target, self.encode(source, source_mask), source_mask, target_mask)

    def states(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """(B, T) tokens -> (B, T, D), the encoder's states. `segments` are ignored."""
        return self.encoder(tokens, mask=mask)

    def encode(self, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, S) -> (B, S, D), the memory that `decode` reads."""
        return self.encoder(source, mask=mask)

    def decode(
        self,
        target: Tensor,
        memory: Tensor,
        memory_mask: Tensor | None = None,
        mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """(B, T), (B, S, D) -> (B, T, V)."""
        return self.head(self.decoder(target, mask=mask, memory=memory, memory_mask=memory_mask, cache=cache))

    def new_cache(self) -> Cache:
        """An empty cache for decoding step by step."""
        return self.decoder.new_cache()


class ImageScores(NamedTuple):
    label: Tensor  # (B, classes), read off the class token
    teacher: Tensor  # (B, classes), read off the distillation token


class ImageClassifier(nn.Module):
    """An encoder of images with a head for classes."""

    kind: ClassVar[str] = "image classifier"
    objective: ClassVar[str] = "ImageClassification"
    pipeline: ClassVar[str] = "image-classification"

    encoder: Transformer

    def forward(self, images: Tensor) -> Tensor | ImageScores:
        """(B, C, H, W) images -> (B, classes) scores, or those of two heads."""
        raise NotImplementedError(f"{type(self).__name__} has no `forward`")


CONTRACTS: tuple[type[TextModel | ImageClassifier], ...] = (
    MaskedLanguageModel,
    CausalLanguageModel,
    EncoderDecoder,
    ImageClassifier,
)


def declared(model: nn.Module, name: str) -> str | None:
    """The model's `objective`, `pipeline`, ...: as its class says it, or else the class above of its `kind`."""
    contract = next((each for each in CONTRACTS if each.kind == getattr(model, "kind", None)), None)
    return getattr(model, name, getattr(contract, name, None))
