"""How the first process of a machine starts the others, and ends them."""

import signal
import sys
from typing import Any

from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

from ...command import whole
from ..signals import Signals


class Launcher(_SubprocessScriptLauncher):
    """Lightning's, whose children outlive a Ctrl-C to all processes while they start: the first one decides.

    Until Signals watches in them, what it watches is held back; it is then noted there. They run the same command.
    """

    def _call_children_scripts(self) -> None:
        before, arguments = signal.pthread_sigmask(signal.SIG_BLOCK, Signals.WATCHED), sys.argv
        sys.argv = whole("train")  # from which Lightning takes the command
        try:
            super()._call_children_scripts()
        finally:
            sys.argv = arguments
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def end(self) -> None:
        """End the children at once. Lightning, which else kills the first process within seconds of the death of a
        child, whatever it still has to say and to close, then watches none."""
        self.kill(signal.SIGKILL)
        self.procs.clear()


def with_ours(launcher: Any) -> Any:
    """Ours in place of a launcher of Lightning's that starts scripts; any other, or none, as it is."""
    if not isinstance(launcher, _SubprocessScriptLauncher):
        return launcher
    return Launcher(launcher.cluster_environment, launcher.num_processes, launcher.num_nodes)
