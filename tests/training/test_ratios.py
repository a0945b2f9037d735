import torch
from hypothesis import given
from hypothesis import strategies as st

from variformer.training.ratios import RatioMetric


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 1000)), min_size=1, max_size=30))
def test_the_mean_over_batches_is_the_mean_over_samples(batches):
    metric = RatioMetric()
    for total, count in batches:
        metric.update(torch.tensor(total, dtype=torch.float64), torch.tensor(count))
    expected = sum(total for total, _ in batches) / sum(count for _, count in batches)
    assert abs(metric.compute().item() - expected) <= 1e-12 * max(expected, 1)


def test_without_counts_there_is_no_number():
    assert RatioMetric().compute().isnan()
