"""Runs to export, without training."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def quick(no_picture_of_the_curves, few_documents):
    """No test of this room looks at curves, or needs much text."""


@pytest.fixture(scope="session")
def untrained(composed):
    """Overrides -> the run directory that training for no step would leave, with random weights: no data are read."""

    def make(*overrides: str) -> Path:
        import torch
        from omegaconf import OmegaConf

        from variformer.config import instantiate
        from variformer.exchange.importing import save_weights
        from variformer.run_directory.directory import RunDirectory

        config = composed(*overrides)
        run = RunDirectory(config["run_dir"])
        torch.manual_seed(0)
        model = instantiate(config["model"], "model")
        with torch.no_grad():
            for tensor in model.parameters():
                tensor.add_(torch.randn_like(tensor) * 0.05)
        save_weights(model, run)
        if config["tokenizer"] is not None:
            instantiate(config["tokenizer"], "tokenizer").train(TEXTS * 3).save(run.tokenizer)
        OmegaConf.save(OmegaConf.create(config), run.config)
        run.set_record(name=config["name"], seed=0)
        run.set_status("done")
        return run.path

    return make


TEXTS = [line for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md") for line in file.read_text().splitlines()]
