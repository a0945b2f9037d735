"""How the first process of a machine starts the others, and ends them."""

import signal
from functools import partial

from lightning.pytorch.strategies import Strategy

from ...command import full_command
from ..lightning_private import HeldBackLauncher, ScriptLauncher
from ..signals import Signals


class Launcher(HeldBackLauncher):
    """Lightning's launcher, but a Ctrl-C to all processes does not end the children while they start.

    The signals that a run handles are blocked in the children until `Signals` unblocks them, so that the first process
    decides. The children run the same command.
    """

    def __init__(self, of: ScriptLauncher):
        super().__init__(of, partial(full_command, "train"), Signals.HANDLED)

    def end(self) -> None:
        """End the children at once, and forget them.

        Lightning kills the first process within seconds of the death of a child that it knows of, even while the first
        process still writes its messages and closes its files.
        """
        self.kill(signal.SIGKILL)
        self.procs.clear()


class OwnLauncher(Strategy):
    """A strategy of Lightning's whose processes are started by `Launcher`. Named before that strategy as a base."""

    own: Launcher | None = None

    @property
    def launcher(self) -> Launcher | None:
        """Ours in place of the launcher that Lightning chose; None as long as Lightning has none."""
        theirs = super().launcher
        if self.own is None and isinstance(theirs, ScriptLauncher):
            self.own = Launcher(theirs)
        return self.own
