import kneser_ney
import numpy as np
import pytest
from kneser_ney import KneserNey


def some_stream(tokens: int = 400, size: int = 7) -> np.ndarray:
    """A text with habits: each token depends on the two before it."""
    random = np.random.default_rng(0)
    stream = [0, 1]
    for draw in random.random(tokens):
        stream.append(int((2 * stream[-1] + stream[-2] + (draw < 0.3) * random.integers(size)) % size))
    return np.array(stream)


def by_definition(stream: list[int], order: int, size: int, gram: tuple[int, ...]) -> float:
    """Chen and Goodman's recursion, word for word, with sets and loops."""
    padded = [stream[0]] * max(order - 2, 0) + stream
    grams = [tuple(padded[i : i + order]) for i in range(len(padded) - order + 1)]
    grams = grams[-(len(stream) - 1) :]
    counts = {gram: grams.count(gram) for gram in set(grams)}
    tables = {order: counts}
    for length in range(order - 1, 0, -1):
        shorter = [gram[1:] for gram in tables[length + 1]]
        tables[length] = {gram: shorter.count(gram) for gram in set(shorter)}

    def probability(gram: tuple[int, ...]) -> float:
        if not gram:
            return 1 / size
        table = tables[len(gram)]
        once, twice = (sum(count == n for count in table.values()) for n in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        followers = {other: count for other, count in table.items() if other[:-1] == gram[:-1]}
        if not followers:
            return probability(gram[1:])
        own = max(followers.get(gram, 0) - discount, 0)
        return (own + discount * len(followers) * probability(gram[1:])) / sum(followers.values())

    return probability(gram)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_equals_the_recursion_of_the_paper(order):
    size = 9  # two ids never occur
    stream = some_stream(60)
    model = KneserNey(stream, order, size)
    grams = np.stack(np.meshgrid(*[np.arange(size)] * order, indexing="ij"), -1).reshape(-1, order)
    expected = [by_definition(stream.tolist(), order, size, tuple(gram)) for gram in grams.tolist()]
    assert model.probability(grams) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_probabilities_sum_to_one_behind_every_context(order):
    size = 9
    model = KneserNey(some_stream(), order, size)
    grams = np.stack(np.meshgrid(*[np.arange(size)] * order, indexing="ij"), -1)
    probabilities = model.probability(grams.reshape(-1, order)).reshape(-1, size)
    assert probabilities.min() > 0
    assert probabilities.sum(1) == pytest.approx(np.ones(len(probabilities)), abs=1e-12)


def test_each_token_but_the_first_is_predicted_from_the_past():
    model = KneserNey(some_stream(), 3, 9)
    stream = np.array([4, 2, 6, 1])
    grams = np.array([[4, 4, 2], [4, 2, 6], [2, 6, 1]])
    assert model.probabilities(stream) == pytest.approx(model.probability(grams))
    assert KneserNey(stream, 1, 9).probabilities(stream).shape == (3,)


def test_longer_contexts_help_where_there_are_habits():
    train, held_out = np.split(some_stream(4000), [3000])
    nats = [-np.log(KneserNey(train, order, 7).probabilities(held_out)).mean() for order in (1, 2, 3)]
    assert nats[2] < 0.8 * min(nats[:2])  # these habits take two tokens to know


def test_large_vocabularies_fit_or_are_refused():
    stream = np.array([50_256, 1, 50_256, 1, 2])
    assert KneserNey(stream, 3, 50_257).probabilities(stream).min() > 0
    with pytest.raises(ValueError, match="order=5 with 50257 ids: choose 1 <= order <= 4"):
        KneserNey(stream, 5, 50_257)


def test_a_stream_without_a_target_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        kneser_ney.ngrams(np.array([3]), 2)
