"""The exported image processor and evaluation see the same pixels."""

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from variformer.data.images.augmentation import Steps
from variformer.data.images.preprocessing import preprocessor, transform

PROCESSORS = [hf.ViTImageProcessor, ViTImageProcessorPil]
DATA = {"image_size": 8, "channels": 3, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}


def picture(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("more", range(9))
@pytest.mark.parametrize("centre, resized", [(1.0, 8), (0.8, 10), (0.73, 11)])
def test_evaluation_cuts_out_what_the_exported_processor_does(kind, more, centre, resized):
    """Images whose shorter side is already that of the first step, so that only the cut can differ."""
    settings = preprocessor(DATA | {"centre": centre})
    steps = Steps(8, 3, DATA["mean"], DATA["std"], centre)
    for image in (picture(resized, resized + more), picture(resized + more, resized)):
        ours = steps(torch.from_numpy(np.array(image)).permute(2, 0, 1), 0)
        theirs = torch.as_tensor(kind(**settings)(image, return_tensors="pt")["pixel_values"][0])
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
        torch.testing.assert_close(transform(settings)(image), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(5, 5), (5, 12), (7, 8), (12, 5)])
def test_an_image_that_is_smaller_than_the_cut_is_filled_up(size):
    settings = preprocessor(DATA | {"centre": 1.0}) | {"do_resize": False}
    theirs = hf.ViTImageProcessor(**settings)(picture(*size), return_tensors="pt").pixel_values[0]
    torch.testing.assert_close(transform(settings)(picture(*size)), theirs, rtol=0, atol=1e-5)
