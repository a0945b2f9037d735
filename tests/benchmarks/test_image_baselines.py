import json

import image_baselines
import numpy as np
import pytest
import yaml
from PIL import Image


@pytest.fixture
def run(tmp_path):
    """What the baselines read of a run: of bright and dark images, in proportions of 3 to 1."""
    random = np.random.default_rng(0)
    for split, count in (("train", 40), ("val", 12), ("test", 8)):
        for name, share, brightness in (("bright", 0.75, 160), ("dark", 0.25, 40)):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for index in range(int(share * count)):
                pixels = brightness + random.integers(0, 40, (4, 4), dtype=np.uint8)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
    places = {"train": "train", "validation": "val", "test": "test"}
    source = {name: str(tmp_path / "images" / folder) for name, folder in places.items()}
    data = {
        "_target_": "variformer.data.images.ImageData",
        "source": {"_target_": "variformer.data.images.ImageFolder", **source},
        "augmentation": {"_target_": "variformer.data.images.Augmentation", "rotate": 90.0},
        **{"image_size": 4, "channels": 1, "classes": 2},
    }
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump({"data": data}))
    (tmp_path / "run" / "metrics.json").write_text(json.dumps({"step": 1, "val/top1": 0.9876}))
    return tmp_path / "run"


def rows(printed: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("|")]
    return {name: values for name, *values in cells}


def test_baselines_are_scored_beside_the_run(run, capsys):
    image_baselines.main(["--run", str(run)])
    printed = capsys.readouterr().out
    table = rows(printed)
    assert "40 train, 12 val, 8 test" in printed
    assert table["always the commonest class"] == ["0.7500", "0.7500"]
    assert (
        table["nearest neighbour of the pixels"] == table["logistic regression on the pixels"] == ["1.0000", "1.0000"]
    )
    assert table["run run"] == ["0.9876", "-"]


def test_baselines_learn_from_images_that_are_not_augmented(run):
    data = image_baselines.data_of(run)
    pixels, labels = image_baselines.images_of(data, "train")
    images = data.split("train").images
    plain = np.stack([images.pixels(index).numpy().ravel() for index in range(len(images))])
    np.testing.assert_allclose(pixels, (plain / 255 - 0.5) / 0.5, rtol=0, atol=1e-6)
    assert labels.tolist() == images.labels.tolist()


def test_an_unreadable_image_is_in_no_baseline(run):
    path = next((run.parent / "images" / "val" / "dark").glob("*.png"))
    path.write_bytes(b"damaged")
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["on_bad"] = "skip"
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.warns(UserWarning, match=path.name):
        assert len(image_baselines.images_of(image_baselines.data_of(run), "val")[1]) == 11


def test_a_run_of_text_is_sent_elsewhere(run, capsys):
    (run / "config.yaml").write_text(yaml.safe_dump({"data": {"_target_": "variformer.data.TextData"}}))
    with pytest.raises(SystemExit):
        image_baselines.main(["--run", str(run)])
    assert "language_baselines.py" in capsys.readouterr().err
