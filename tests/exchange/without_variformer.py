"""Read exported folders with transformers alone: `python without_variformer.py FOLDERS`, with expected.safetensors.

Run by test_export_without_variformer.py in a process that cannot import variformer.
"""

import sys
from pathlib import Path


class Absent:
    """Makes an import of variformer, or of what only it needs, fail."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"variformer", "annotated_types", "lightning", "hydra"}:
            raise ModuleNotFoundError(f"No module named {name!r}")


sys.meta_path.insert(0, Absent())

import torch  # noqa: E402
import transformers as hf  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

FOLDERS = Path(sys.argv[1])
EXPECTED = load_file(FOLDERS / "expected.safetensors")
TEXT = "How to append something to a list"


def trust(folder: Path) -> dict[str, bool]:
    """A folder of a class of theirs has no code, and needs no trust."""
    return {"trust_remote_code": True} if any(folder.glob("*.py")) else {}


def require_close(name: str, found: torch.Tensor) -> None:
    expected = EXPECTED[name]
    assert found.shape == expected.shape, (name, found.shape, expected.shape)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max(), name


def write(folder: Path) -> None:
    pipe = hf.pipeline("text-generation", str(folder), **trust(folder))
    tokens = EXPECTED[f"{folder.name}.input"]
    require_close(folder.name, pipe.model(tokens).logits)
    said = pipe(TEXT, max_new_tokens=8, do_sample=False, return_tensors=True)
    written = torch.tensor(said[0]["generated_token_ids"])[-8:]
    assert torch.equal(written, EXPECTED[f"{folder.name}.written"]), written
    uncached = pipe.model.generate(tokens, max_new_tokens=8, do_sample=False, use_cache=False, eos_token_id=None)
    assert torch.equal(uncached[0, -8:], written)


def fill(folder: Path) -> None:
    pipe = hf.pipeline("fill-mask", str(folder), **trust(folder))
    require_close(folder.name, pipe.model(EXPECTED[f"{folder.name}.input"]).logits)
    best = pipe(f"How to {pipe.tokenizer.mask_token} a list", top_k=3)
    ids, scores = EXPECTED[f"{folder.name}.best"], EXPECTED[f"{folder.name}.best_scores"]
    assert [each["token"] for each in best] == ids.tolist()
    assert (torch.tensor([each["score"] for each in best]) - scores).abs().max() <= 1e-5


def rewrite(folder: Path) -> None:
    """transformers 5 has no pipeline from text to text."""
    model = hf.AutoModelForSeq2SeqLM.from_pretrained(folder, **trust(folder))
    tokens = EXPECTED[f"{folder.name}.input"]
    require_close(folder.name, model(tokens, decoder_input_ids=tokens).logits)
    for use_cache in (True, False):
        written = model.generate(
            tokens, max_new_tokens=8, do_sample=False, use_cache=use_cache, eos_token_id=None, forced_eos_token_id=None
        )
        assert torch.equal(written[0, -8:], EXPECTED[f"{folder.name}.written"]), (folder.name, written)
    ids = hf.AutoTokenizer.from_pretrained(folder, **trust(folder))(TEXT, return_tensors="pt")
    assert model.generate(**ids, max_new_tokens=2).shape[0] == 1


def classify(folder: Path) -> None:
    from PIL import Image

    pipe = hf.pipeline("image-classification", str(folder), **trust(folder))
    require_close(folder.name, pipe.model(EXPECTED[f"{folder.name}.input"]).logits)
    assert len(pipe(Image.new("RGB", (9, 9), "white"), top_k=3)) == 3


DO = {"gpt": write, "bert": fill, "t5": rewrite, "bart": rewrite, "vit": classify}

if __name__ == "__main__":
    try:
        import variformer  # noqa: F401
    except ModuleNotFoundError:
        pass
    else:
        sys.exit("variformer is there")
    with torch.no_grad():
        for folder in sorted(FOLDERS.iterdir()):
            if folder.is_dir():
                DO[folder.name.partition("_")[0]](folder)
                print("read", folder.name, flush=True)
    print("without", not any(name.partition(".")[0] == "variformer" for name in sys.modules))
