"""The place of each callback among the others, which Lightning calls one after the other at every event."""

from collections.abc import Iterable
from enum import IntEnum, auto

from lightning import Callback


class Order(IntEnum):
    """A callback names its place as the class attribute `order`; one that names none is OTHER."""

    CHECK = auto()  # first: nothing shows or saves a state that is not finite
    SHOW = auto()  # reads what a step or a validation left, and changes nothing
    OTHER = auto()  # a user's own and Lightning's: while the average is in place, and before their state is saved
    STOP = auto()  # ends the training: the checkpoint of that step holds the decision
    BEST = auto()  # saves the weights that were validated, so the average is still in place
    AVERAGE = auto()  # takes its average back: after those that use it, before the weights are saved
    SAVE = auto()  # after all whose state a step or a validation changes
    RANDOM = auto()  # restores the generators after all that draw from them in a validation
    RESUME = auto()  # validates when a resumed run starts, for which all others are ready by then
    LEAVE = auto()  # ends the process on a signal, once all else of the step is done
    TRIAL = auto()  # tries micro batches in its setup, when signals are already noted for later


def in_order(callbacks: Iterable[Callback]) -> list[Callback]:
    """Sorted by place; those of one place stay as they were."""
    return sorted(callbacks, key=place)


def place(callback: Callback) -> Order:
    named = getattr(callback, "order", None)
    return named if isinstance(named, Order) else Order.OTHER
