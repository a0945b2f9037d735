"""Texts that a GPT-2 of 124M writes, beside `generate` of transformers: same weights, prompts and tokens.

    python benchmarks/generation.py --batches 1,8 --tokens 256 --windows 3

Both write greedily behind prompts of 16 tokens, of which none ends. Their tokens must be the same before anything is
timed. A window is one batch of texts; contenders take turns, window by window. Rates are new tokens per second of all
texts together. Weights are random: how fast a model writes does not depend on them.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from results import measured_here
from timing import interleave, machine, markdown, ratio, spread
from training_steps import quieten

from variformer.generation import Decoding, generate
from variformer.models import GPT
from variformer.weights.huggingface import to_huggingface

SIZES: dict[str, Any] = {}  # GPT-2 small
TINY = {"vocab_size": 200, "width": 32, "depth": 2, "heads": 2, "hidden": 64, "max_length": 512}
PROMPT = 16  # tokens

Write = Callable[[], list[list[int]]]  # the new tokens of each text


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", default="1,8", help="texts that are written at once")
    parser.add_argument("--tokens", type=int, default=256, help="new tokens of each text")
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None, help="of PyTorch; its own number by default")
    parser.add_argument("--tiny", action="store_true", help="two layers, 32 wide: does it run?")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/generation.json")
    chosen = parser.parse_args(arguments)
    quieten()
    if chosen.threads is not None:
        torch.set_num_threads(chosen.threads)
    print(machine("transformers"))
    print(f"fp32, greedy, {chosen.tokens} new tokens, {chosen.windows} windows\n")
    torch.manual_seed(0)
    model = GPT(**(TINY if chosen.tiny else SIZES)).eval()
    peer = peer_of(model)
    rows = [row for batch in map(int, chosen.batches.split(",")) for row in contest(model, peer, batch, chosen)]
    header = ["GPT-2, texts at once", "tokens per s", "ms per step", "spread", "variformer is x as fast"]
    table = markdown(header, rows)
    print(table)
    if chosen.keep:
        result = measured_here("generation", "generation.py", {"table": table.splitlines()})
        result.environment["packages"] |= {"transformers": version("transformers")}
        print(result.write())


def peer_of(model: GPT) -> Any:
    """The same weights in transformers' class."""
    import transformers as hf

    embedding, block = model.decoder.embedding.tokens, model.decoder.blocks[0]
    config = hf.GPT2Config(
        vocab_size=embedding.num_embeddings,
        n_positions=model.max_length,
        n_embd=model.width,
        n_layer=model.decoder.depth,
        n_head=block.self_attention.heads,
        n_inner=block.feed_forward.widen.out_features,
    )
    peer = hf.GPT2LMHeadModel(config)
    peer.load_state_dict(to_huggingface(model), strict=False)
    peer.tie_weights()
    return peer.eval()


def contest(model: GPT, peer: Any, batch: int, chosen: argparse.Namespace) -> list[list[str]]:
    """A row for each contender."""
    writers = contenders(model, peer, batch, chosen.tokens)
    require_equal({name: write() for name, write in writers.items()})
    seconds = interleave({name: timed(write) for name, write in writers.items()}, chosen.windows)
    rows = []
    for name, values in seconds.items():
        rates = [batch * chosen.tokens / each for each in values]
        step = 1000 * statistics.median(values) / chosen.tokens
        told = [f"{statistics.median(rates):,.1f}", f"{step:.1f}", f"{spread(rates):.0%}"]
        rows.append([f"{name}: {batch}", *told, f"{ratio(values, seconds['variformer']):.2f}"])
    return rows


def contenders(model: GPT, peer: Any, batch: int, count: int) -> dict[str, Write]:
    """Ours first."""
    size = model.decoder.embedding.tokens.num_embeddings
    prompts = torch.randint(size, (batch, PROMPT))
    tokenizer: Any = SimpleNamespace(
        size=size, end=None, special=np.zeros(size, dtype=bool), byte_tokens=np.zeros(size, dtype=bool), decode=str
    )

    def ours() -> list[list[int]]:
        written = generate(model, prompts.tolist(), Decoding(count), tokenizer=tokenizer)
        return [each.tokens for (each,) in written]

    def theirs() -> list[list[int]]:
        options = {"max_new_tokens": count, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
        with torch.inference_mode():
            return peer.generate(prompts, attention_mask=torch.ones_like(prompts), **options)[:, PROMPT:].tolist()

    return {"variformer": ours, "transformers": theirs}


def timed(write: Write) -> Callable[[], float]:
    """Seconds of one batch of texts."""

    def window() -> float:
        began = time.perf_counter()
        write()
        return time.perf_counter() - began

    return window


def require_equal(texts: dict[str, list[list[int]]]) -> None:
    """Raises ValueError unless all write the same tokens."""
    first, *others = texts
    for other in others:
        if texts[other] != texts[first]:
            raise ValueError(f"{other} and {first} write different tokens, so nothing is timed")


if __name__ == "__main__":
    main()
