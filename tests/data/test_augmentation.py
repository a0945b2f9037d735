import pickle
from pathlib import Path

import pytest
import torch

from variformer.data.images.augmentation import Augmentation, Steps

EVERYTHING = {"flip": 0.5, "rotate": 10.0, "shift": 0.1, "operations": 2, "erase": 0.5}


def photograph(height: int, width: int, channels: int = 3) -> torch.Tensor:
    return torch.randint(
        0, 256, (channels, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize("crop", ["none", "pad", "resized"])
@pytest.mark.parametrize("channels", [1, 3])
def test_same_key_same_image_and_other_keys_differ(crop, channels):
    steps = Steps(16, channels, [0.4], [0.2], augmentation=Augmentation(crop=crop, **EVERYTHING))
    image = photograph(20, 24)
    torch.manual_seed(1)
    first = [steps(image, key) for key in (0, 7, 2**64 - 1)]
    torch.rand(10)  # what others draw must not matter, nor the order of the keys
    second = [steps(image, key) for key in (2**64 - 1, 7, 0)][::-1]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(image.shape == (channels, 16, 16) and image.isfinite().all() for image in first)
    assert not torch.equal(first[0], first[1]) and not torch.equal(first[1], first[2])


@pytest.mark.parametrize(
    "setting",
    [
        {"crop": "pad"},
        {"crop": "resized"},
        {"flip": 0.5},
        {"rotate": 20.0},
        {"shift": 0.3},
        {"operations": 2},
        {"erase": 0.5},
    ],
)
def test_every_setting_alone_changes_images(setting):
    image = photograph(12, 12)
    changed = Steps(12, 3, [0.5], [0.5], augmentation=Augmentation(**setting))
    plain = Steps(12, 3, [0.5], [0.5])(image, 0)
    assert any(not torch.equal(changed(image, key), plain) for key in range(8))


def test_flip_mirrors_left_and_right():
    image = photograph(6, 6)
    mirrored = Steps(6, 3, [0.5], [0.5], augmentation=Augmentation(flip=1.0))(image, 3)
    assert torch.equal(mirrored, Steps(6, 3, [0.5], [0.5])(image, 3).flip(-1))


def test_pad_cuts_a_window_of_the_padded_image():
    image = photograph(8, 8, channels=1)
    padded = torch.nn.functional.pad(image, (2, 2, 2, 2))
    windows = [padded[:, row : row + 8, column : column + 8] for row in range(5) for column in range(5)]
    steps = Steps(8, 1, [0.0], [1.0], augmentation=Augmentation(crop="pad", padding=2))
    seen = set()
    for key in range(200):
        cut = (steps(image, key) * 255).round().to(torch.uint8)
        matches = [number for number, window in enumerate(windows) if torch.equal(cut, window)]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) == 25


def test_no_random_number_is_taken_from_the_surroundings(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("reseeded the GPU"))
    steps = Steps(8, 3, [0.5], [0.5], augmentation=Augmentation(**EVERYTHING))
    before = torch.random.get_rng_state()
    steps(photograph(8, 8), 5)
    assert torch.equal(before, torch.random.get_rng_state())


def test_evaluation_cuts_the_centre_and_normalises_each_channel():
    image = torch.zeros(3, 10, 30, dtype=torch.uint8)
    image[:, :, 10:20] = torch.tensor([255, 51, 0], dtype=torch.uint8)[:, None, None]
    seen = Steps(10, 3, [0.5, 0.2, 0.1], [0.5, 0.1, 0.2])(image, 0)
    expected = torch.tensor([1.0, 0.0, -0.5])[:, None, None].expand(3, 10, 10)
    torch.testing.assert_close(seen, expected)


def test_centre_drops_the_border():
    image = torch.full((1, 32, 32), 255, dtype=torch.uint8)
    image[:, 4:28, 4:28] = 0
    assert Steps(24, 1, [0.0], [1.0], centre=0.75)(image, 0).max() == 0
    assert Steps(24, 1, [0.0], [1.0])(image, 0).max() > 0.9


def test_channels_are_converted():
    grey = photograph(8, 8, channels=1)
    colour = Steps(8, 3, [0.0], [1.0])(grey, 0)
    assert torch.equal(colour, (grey / 255).expand(3, 8, 8))
    red = torch.zeros(3, 8, 8, dtype=torch.uint8)
    red[0] = 200
    luminance = Steps(8, 1, [0.0], [1.0])(red, 0)
    assert luminance.shape == (1, 8, 8)
    torch.testing.assert_close(luminance, torch.full((1, 8, 8), 0.299 * 200 / 255), atol=1 / 255, rtol=0)


def test_steps_can_be_sent_to_a_spawned_worker():
    steps = Steps(8, 3, [0.5], [0.5], augmentation=Augmentation(crop="resized", **EVERYTHING))
    image = photograph(9, 12)
    assert torch.equal(pickle.loads(pickle.dumps(steps))(image, 4), steps(image, 4))


@pytest.mark.parametrize(
    "wrong",
    [
        {"crop": "centre"},
        {"padding": -1},
        {"area": 0.0},
        {"flip": 1.5},
        {"rotate": -1.0},
        {"shift": 2.0},
        {"operations": -1},
        {"magnitude": 31},
        {"erase": -0.1},
        {"erase_with": "black"},
        {"jitter": -1.0},
        {"operation_probability": 1.1},
    ],
)
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Augmentation(**wrong)


def test_deit_augments_as_strongly_as_timm():
    """Magnitude 9 of timm's 10 is 27 of torchvision's 30, and its deviation 0.5 is 1.5."""
    import timm.data.auto_augment as published
    import yaml
    from torchvision.transforms import v2

    path = Path(__file__).parents[2] / "conf" / "data" / "augmentation" / "deit.yaml"
    ours = yaml.safe_load(path.read_text())
    space = v2.RandAugment._AUGMENTATION_SPACE
    for name, level in {"ShearX": "shear", "Rotate": "rotate"}.items():
        strongest = float(space[name][0](31, 224, 224)[ours["magnitude"]])
        assert abs(getattr(published, f"_{level}_level_to_arg")(9, {})[0]) == pytest.approx(strongest)
    enhanced = float(space["Color"][0](31, 224, 224)[ours["magnitude"]])
    changes = {published._enhance_increasing_level_to_arg(9, {})[0] for _ in range(20)}
    assert max(changes) == pytest.approx(1 + enhanced)
    theirs = published.rand_augment_transform("rand-m9-mstd0.5-inc1", {})
    assert {(op.magnitude, op.magnitude_std, op.prob) for op in theirs.ops} == {(9, 0.5, 0.5)}
    assert (ours["magnitude"], ours["jitter"], ours["operation_probability"]) == (27, 3 * 0.5, 0.5)
    assert theirs.num_layers == ours["operations"] and ours["erase_with"] == "noise"


def test_jitter_changes_the_magnitude_and_stays_in_range(monkeypatch):
    from torchvision.transforms import v2

    seen = []
    monkeypatch.setattr(v2, "RandAugment", lambda count, magnitude: seen.append(magnitude) or torch.nn.Identity())
    steps = Steps(8, 3, [0.5], [0.5], augmentation=Augmentation(operations=2, magnitude=27, jitter=3.0))
    for key in range(200):
        steps(photograph(8, 8), key)
    assert len(seen) == 400 and max(seen) == 30 and min(seen) < 24
    assert sum(seen) / len(seen) == pytest.approx(26.8, abs=0.6)


def test_an_operation_that_is_seldom_carried_out(monkeypatch):
    from torchvision.transforms import v2

    seen = []
    monkeypatch.setattr(v2, "RandAugment", lambda count, magnitude: seen.append(magnitude) or torch.nn.Identity())
    steps = Steps(8, 3, [0.5], [0.5], augmentation=Augmentation(operations=2, operation_probability=0.25))
    for key in range(400):
        steps(photograph(8, 8), key)
    assert len(seen) == pytest.approx(200, abs=45)


def test_erased_boxes_hold_the_mean_or_noise():
    image = torch.full((1, 16, 16), 255, dtype=torch.uint8)
    for kind in ("mean", "noise"):
        steps = Steps(16, 1, [0.0], [1.0], augmentation=Augmentation(erase=1.0, erase_with=kind))
        box = steps(image, 1)[steps(image, 1) != 1]
        assert len(box) > 4 and (box == 0).all() == (kind == "mean")


def test_later_settings_are_known_only_where_they_differ():
    """Else the data of a run from before would seem to be other data."""
    before = {"crop", "padding", "area", "flip", "rotate", "shift", "operations", "magnitude", "erase"}
    assert Augmentation(operations=2).settings().keys() == before
    assert Augmentation(jitter=1.0).settings().keys() == before | {"jitter"}
