"""Variformer: variants of the transformer, trained, compared and exported from one config tree.

    config = variformer.compose("experiment=gpt", "model/norm=rms")
    run = variformer.train(config)
    run.metrics, run.curves["val/loss"], variformer.evaluate(run, "test")
    model, tokenizer = run.load("best")

What stands in `__all__`, here and in the packages within, is public. Importing this package is cheap: what a name needs
is imported when the name is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api.interface import Config, ConfigError, Loaded, Run, compose, evaluate, load, train

__all__ = ["Config", "ConfigError", "Loaded", "Run", "__version__", "compose", "evaluate", "load", "train"]
__version__: str

if not TYPE_CHECKING:  # which would else take every name for one that is there

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .api import interface

        return getattr(interface, name)


def __dir__() -> list[str]:
    return __all__
