"""The order of callbacks, and the hooks that Lightning does not have."""

from types import SimpleNamespace

import lightning.pytorch.callbacks
import pytest
from lightning import Callback

from variformer.training import callbacks
from variformer.training.callback import RunCallback, add_callback, in_order, order_of, run_callbacks, weight_copies
from variformer.training.order import Order

OURS = [getattr(callbacks, name) for name in callbacks.__all__]


class Own(Callback):
    pass


class Early(RunCallback):
    order = Order.MEASURE


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_each_callback_of_the_package_declares_its_order(kind):
    assert issubclass(kind, RunCallback) and isinstance(kind.order, Order) and kind.order != Order.OTHER


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_checkpoints_keep_the_names_of_states(kind):
    """Lightning finds a callback's state by this key. That of early stopping also names the metric."""
    built = kind() if kind is callbacks.EarlyStopping else kind.__new__(kind)
    assert built.state_key.partition("{")[0] == kind.__name__


def test_a_foreign_callback_comes_before_the_checkpoints():
    saving = [callbacks.BestCheckpoint(), callbacks.Checkpoints()]
    found = in_order([*saving, Own(), lightning.pytorch.callbacks.Timer(), callbacks.Curves(), Early()])
    names = [type(each).__name__ for each in found]
    assert names == ["Curves", "Early", "Own", "Timer", "BestCheckpoint", "Checkpoints"]


def test_callbacks_of_one_place_stay_as_they_were():
    given = [Own(), Own(), Own()]
    assert in_order(given) == given and order_of(given[0]) == Order.OTHER


def test_a_callback_that_is_added_later_takes_its_place():
    trainer = SimpleNamespace(callbacks=in_order([callbacks.Curves(), callbacks.Checkpoints(), Own()]))
    add_callback(trainer, callbacks.MovingAverage())
    assert [type(each).__name__ for each in trainer.callbacks] == ["Curves", "Own", "MovingAverage", "Checkpoints"]
    assert weight_copies(trainer) == 1
    assert [type(each).__name__ for each in run_callbacks(trainer)] == ["Curves", "MovingAverage", "Checkpoints"]


def test_hooks_that_are_not_filled_in_do_nothing():
    callback = RunCallback()
    assert callback.before_step(None, None) is None and callback.leave_validation(None) is None
    assert callback.before_leaving(None) is None and callback.stopped(None) is None
    assert list(callback.kept_tensors()) == [] and callback.bar_note(None) == ""
