"""Our training steps beside those of transformers and timm: same weights, batches, optimizer and precision.

    python benchmarks/training_steps.py --cases bert,gpt,t5,vit --windows 5 --steps 10 --compile

Everyone starts from one checkpoint, and the loss of the first batch must be the same (relative 1e-5, fp32)
before anything is timed. A window is `--steps` optimizer steps: forward, backward, clipping to a norm of 1,
fused AdamW; no dropout. Ours also counts its metrics. Contenders take turns, window by window. A peer is
timed with its defaults and with the flags that its documentation recommends for speed, to which `--compile`
adds torch.compile. Rates count useful (non-padding) tokens of source and target, or images.
"""

import argparse
import copy
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from cases import CASES, SIZES, TINY, Case, Peer
from results import measured_here
from timing import interleave, machine, markdown, ratio, spread
from torch import Tensor, nn

from variformer.layers import Block

TOLERANCE = 1e-5


@dataclass
class Contender:
    """A model that trains on batches of its own form, which hold `useful` tokens or images in all."""

    name: str
    model: nn.Module
    loss: Callable[[nn.Module, Any], Tensor]
    batches: list[Any]
    useful: int
    autocast: bool = False

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, fused=True)

    def step(self, batch: Any) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            loss = self.loss(self.model, batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def window(self) -> float:
        """Useful tokens or images per second over all batches."""
        began = time.perf_counter()
        for batch in self.batches:
            self.step(batch)
        return self.useful / (time.perf_counter() - began)

    def first_pass(self) -> float:
        """Seconds of the first window, in which torch.compile compiles."""
        return self.useful / self.window()

    @torch.no_grad()
    def first_loss(self) -> float:
        """In fp32 and uncompiled."""
        with torch.compiler.set_stance("force_eager"):
            return self.loss(self.model, self.batches[0]).item()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="optimizer steps in a window")
    parser.add_argument("--compile", action="store_true", help="also ours and the best flags with torch.compile")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16 instead of fp32")
    parser.add_argument("--tiny", action="store_true", help="two layers, 32 wide: does it run?")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/training_steps.json")
    chosen = parser.parse_args(arguments)
    names = chosen.cases.split(",")
    if unknown := set(names) - set(CASES):
        parser.error(f"unknown cases {', '.join(sorted(unknown))}; there are: {', '.join(CASES)}")
    quieten()
    print(machine("transformers", "timm"))
    print(f"{'bf16 autocast' if chosen.bf16 else 'fp32'}, {chosen.windows} windows of {chosen.steps} steps\n")
    tables = []
    for name in names:
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            case = CASES[name]((TINY if chosen.tiny else SIZES)[name], chosen.steps, Path(folder))
        entrants = list(contenders(case, compiled=chosen.compile, autocast=chosen.bf16))
        tables.append(contest(case.name, entrants, chosen.windows))
        print(tables[-1], flush=True)
    if chosen.keep:
        lines = "\n".join(tables).strip().splitlines()
        result = measured_here("training_steps", "training_steps.py", {"table": lines})
        result.environment["packages"] |= {name: version(name) for name in ("transformers", "timm")}
        print(result.write())


def quieten() -> None:
    """No progress bars and advice among the tables."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def contenders(case: Case, *, compiled: bool, autocast: bool) -> Iterator[Contender]:
    """Ours first, each with a model of its own."""
    useful = sum(batch["count"] for batch in case.batches)

    def ours(name: str, model: nn.Module) -> Contender:
        return Contender(name, model, lambda m, b: case.objective(m, b).loss, case.batches, useful, autocast)

    def theirs(peer: Peer, *flags: str) -> Contender:
        batches = [peer.inputs(batch) for batch in case.batches]
        name = f"{peer.name}: {', '.join(flags) or 'defaults'}"
        return Contender(name, peer.model, peer.loss, batches, useful, autocast)

    yield ours("variformer", case.model)
    if compiled:
        yield ours("variformer: compiled", compile_blocks(copy.deepcopy(case.model)))
    for peer in case.defaults:
        yield theirs(peer)
    for peer in case.best:
        if compiled:
            peer.model.compile()
            yield theirs(peer, *peer.flags, "compiled")
        elif peer.flags:  # without any they are the defaults
            yield theirs(peer, *peer.flags)


def compile_blocks(model: nn.Module) -> nn.Module:
    """In place, and block by block, as a run with compile=default does it."""
    for module in model.modules():
        if isinstance(module, Block):
            module.compile()
    return model


def contest(title: str, entrants: list[Contender], windows: int) -> str:
    """A table of rates; every entrant is also compared with each of ours."""
    require_equal({entrant.name: entrant.first_loss() for entrant in entrants})
    first = {entrant.name: entrant.first_pass() for entrant in entrants}
    rates = interleave({entrant.name: entrant.window for entrant in entrants}, windows)
    ours = [name for name in rates if name.startswith("variformer")]
    rows = []
    for name, values in rates.items():
        figures = [f"{statistics.median(values):,.0f}", f"{spread(values):.0%}", f"{first[name]:.1f}"]
        rows.append([name, *figures, *(f"{ratio(rates[each], values):.2f}" for each in ours)])
    header = [title, "useful per s", "spread", "first pass, s", *(f"{each} is x as fast" for each in ours)]
    return markdown(header, rows) + "\n"


def require_equal(losses: dict[str, float]) -> None:
    """Raises ValueError unless every loss equals the first, which is ours."""
    expected = next(iter(losses.values()))
    if any(not math.isclose(loss, expected, rel_tol=TOLERANCE) for loss in losses.values()):
        listed = ", ".join(f"{name} {loss:.7f}" for name, loss in losses.items())
        raise ValueError(f"the first batch's losses differ by more than {TOLERANCE}, so nothing is timed: {listed}")


if __name__ == "__main__":
    main()
