"""What is spent adds up over a run that goes on, counted in one way."""

from variformer.training.callbacks import Throughput


def test_flops_go_on_from_a_checkpoint():
    first = Throughput()
    first.seen, first.flops_spent, first.flops_per_sample = 5, 50.0, 10.0
    second = Throughput()
    second.load_state_dict(first.state_dict())
    assert (second.seen, second.flops_spent, second.flops_per_sample) == (5, 50.0, 10.0)


def test_flops_of_older_checkpoints_are_counted_anew():
    """They counted what checkpointing computes again, teachers, and attention outside of windows."""
    resumed = Throughput()
    resumed.load_state_dict({"seen": 5, "flops_spent": 50.0, "flops_per_sample": 10.0})
    assert (resumed.seen, resumed.flops_spent, resumed.flops_per_sample) == (5, 50.0, None)
