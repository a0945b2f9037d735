"""How good is an accuracy? What needs no transformer reaches on the same images.

    python benchmarks/image_baselines.py --run RUN    accuracies on validation and test, beside the run's own

Every baseline learns from the training images without augmentation, and is scored on all images of the validation and
the test split. A run with trainer.validation_samples was scored on those of the validation split alone.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from language_baselines import HELD_OUT, number, run_metric
from timing import markdown

# Shapes: N images, P pixels of all channels.

Images = tuple[np.ndarray, np.ndarray]  # (N, P) pixels and (N,) labels


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="a run directory: its data and metrics")
    chosen = parser.parse_args(arguments)
    try:
        print(table(chosen.run))
    except (FileNotFoundError, ValueError) as error:
        parser.exit(2, f"{error}\n")


def table(run: Path) -> str:
    """Accuracy of each baseline, and of the run."""
    data = data_of(run)
    rows = [[name, *(values[split] for split in HELD_OUT)] for name, values in baselines(data).items()]
    rows.append([f"run {run.name}", *(run_metric(run, split, "top1") for split in HELD_OUT)])
    counts = ", ".join(f"{len(data.split(split)):,} {split}" for split in ("train", *HELD_OUT))
    head = f"Accuracy on images of {data.image_size} x {data.image_size} pixels ({counts})\n\n"
    return head + markdown(["model", *HELD_OUT], [[name, *map(number, values)] for name, *values in rows])


def baselines(data: Any) -> dict[str, dict[str, float]]:
    """Baseline -> split -> accuracy."""
    images = {split: images_of(data, split) for split in ("train", *HELD_OUT)}
    return {name: accuracies(learn, images) for name, learn in BASELINES.items()}


def data_of(run: Path) -> Any:
    """A run's images, without augmentation. Raises ValueError where it reads none."""
    from omegaconf import OmegaConf

    from variformer.config import instantiate
    from variformer.config.composing.saved_configs import saved_config

    config: Any = OmegaConf.to_container(saved_config(run))
    if "image_size" not in config["data"]:
        raise ValueError(f"{run} reads no images; for text there is benchmarks/language_baselines.py")
    data = instantiate(config["data"] | {"augmentation": None}, "data")
    data.prepare()
    return data


def images_of(data: Any, split: str) -> Images:
    """What a model sees of a split in evaluation; unreadable images are left out."""
    view = data.split(split)
    samples = [view.sample(index, 0) for index in range(len(view))]
    real = [sample for sample in samples if sample["label"] >= 0]
    return np.stack([s["image"].numpy().ravel() for s in real]), np.array([s["label"] for s in real])


def accuracies(
    learn: Callable[[Images], Callable[[np.ndarray], np.ndarray]], images: dict[str, Images]
) -> dict[str, float]:
    predict = learn(images["train"])
    return {split: float((predict(images[split][0]) == images[split][1]).mean()) for split in HELD_OUT}


def commonest(train: Images) -> Callable[[np.ndarray], np.ndarray]:
    answer = np.bincount(train[1]).argmax()
    return lambda pixels: np.full(len(pixels), answer)


def nearest(train: Images) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(1).fit(*train).predict


def logistic_regression(train: Images) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    # With scikit-learn's usual C of 1, many normalised pixels are learned by heart.
    return LogisticRegression(C=0.1, max_iter=500).fit(*train).predict


BASELINES = {
    "always the commonest class": commonest,
    "nearest neighbour of the pixels": nearest,
    "logistic regression on the pixels": logistic_regression,
}


if __name__ == "__main__":
    main()
