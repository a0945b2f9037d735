"""The place of each callback among the others. Lightning calls them one after the other at every event."""

from enum import IntEnum, auto


class Order(IntEnum):
    """Places from the first to the last. A callback names its own as the class attribute `order`.

    A callback of a user, or one of Lightning's, has the place OTHER: the moving average is in place then, and
    checkpoints are written later.
    """

    CHECK = auto()  # stops what is not finite, before anything shows or saves it
    MEASURE = auto()  # takes numbers of a step
    SHOW = auto()  # shows what a step or a validation left
    OTHER = auto()  # a user's own and Lightning's
    STOP = auto()  # ends the training; the checkpoint of the same step holds the decision
    BEST = auto()  # saves the weights that were validated, so the average is still in place
    AVERAGE = auto()  # takes its average back after all that use it, before the weights are saved
    SAVE = auto()  # writes checkpoints, after all whose state a step or a validation changes
    RANDOM = auto()  # restores the random generators after all that use them in a validation
    RESUME = auto()  # validates at the start of a resumed run, when all others are ready
    RECORD = auto()  # writes down a resumed session once its checkpoint is accepted
    LEAVE = auto()  # ends the process on a signal, after everything else of the step
    TRIAL = auto()  # tries micro batches in its setup, when signals are already deferred
