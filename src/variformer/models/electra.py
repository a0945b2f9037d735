"""ELECTRA: a small BERT replaces tokens, and the model itself tells which ones were replaced.

Clark et al., 2020, https://arxiv.org/abs/2003.10555.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from ..layers import LearnedPositions, TokenHead, initialise
from ..ranges import Count
from .bert import Bert


class Detections(NamedTuple):
    tokens: Tensor | None  # (B, T, V), or (N, V) for the N positions asked for: the generator's; None without one
    replaced: Tensor  # (B, T): above zero where a token is rather replaced than original
    states: Tensor  # (B, T, D), the last layer's, which the head reads


class Electra(Bert):
    """The defaults are ELECTRA base (110M and its generator). What is not named here is as in BERT.

    The `generator` is a BERT as deep, whose width, heads and hidden units are `generator_divisor` times smaller
    (table 6); None: there is no generator, as in a published discriminator. Embeddings are shared (section 3.2).
    Raises ValueError where the divisor does not divide the width, the heads and the hidden units.
    """

    kind: ClassVar = "generator with a discriminator"
    objective: ClassVar[str] = "ReplacedTokens"
    pair_objective: ClassVar[str | None] = None
    pipeline: ClassVar = "feature-extraction"
    head_names: ClassVar[tuple[str, ...]] = ("generator", "replaced_head")
    pair_classes: ClassVar = 0  # it has no head for pairs

    def __init__(
        self,
        *,
        width: Count = 768,
        embedding_width: Count = 768,
        heads: Count = 12,
        hidden: Count = 3072,
        generator_divisor: Count | None = 3,
        **bert: Any,
    ):
        sizes: dict[str, Any] = {"width": width, "heads": heads, "hidden": hidden}
        super().__init__(pair_classes=0, embedding_width=embedding_width, **sizes, **bert)
        self.generator: Bert | None = None
        if generator_divisor is not None:
            if any(size % generator_divisor for size in sizes.values()):
                raise ValueError(f"{generator_divisor} does not divide all of {sizes} (model.generator_divisor)")
            smaller: dict[str, Any] = {name: size // generator_divisor for name, size in sizes.items()}
            self.generator = Bert(pair_classes=0, embedding_width=embedding_width, **smaller, **bert)
            self.share_embeddings(self.generator)

    def add_heads(
        self, tokens: nn.Embedding, norm: Any, activation: Callable[[], nn.Module], pair_classes: int
    ) -> None:
        """A hidden layer, and one score for each token."""
        hidden = nn.Sequential(nn.Linear(self.width, self.width), activation())
        self.replaced_head = TokenHead(self.width, 1, transform=hidden, bias=True)
        initialise.bert(self)

    def share_embeddings(self, generator: Bert) -> None:
        """Tokens, segments, learned positions and their norm are the generator's too, as in the paper's code."""
        ours: Any = self.encoder
        theirs: Any = generator.encoder
        theirs.embedding, theirs.entry[0] = ours.embedding, ours.entry[0]
        generator.token_head.scores.weight = ours.embedding.tokens.weight
        if isinstance(ours.positions, LearnedPositions):
            theirs.positions = ours.positions

    def forward(  # type: ignore[override]  # it is built as a BERT is, and predicts other things
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        segments: Tensor | None = None,
        predict: Tensor | None = None,
        replace: Callable[[Tensor], Tensor] | None = None,
    ) -> Detections:
        """The generator reads (B, T) tokens; `replace` makes of its scores the tokens that the discriminator reads.

        Without `replace` both read the same. Other arguments are as in `Bert.forward`.
        """
        scores = None if self.generator is None else self.generator(tokens, mask, segments, predict).tokens
        read = tokens if replace is None or scores is None else replace(scores)
        return self.detect(read, mask, segments)._replace(tokens=scores)

    def detect(self, tokens: Tensor, mask: Tensor | None = None, segments: Tensor | None = None) -> Detections:
        """(B, T) tokens -> the discriminator's scores of them alone."""
        states = self.states(tokens, mask, segments)
        return Detections(None, self.replaced_head(states).squeeze(-1), states)
