"""The centre of an image, pixel for pixel as transformers' image processors cut it out."""

import torch.nn.functional as F
from torch import Tensor, nn

from ...ranges import Count

# Shapes: H height, W width of an image.


class CentreCrop(nn.Module):
    """(..., H, W) -> (..., height, width); what an image lacks is filled with zeros.

    Where an odd number of pixels is cut off, the larger half is at the bottom and on the right, as in transformers;
    torchvision's CenterCrop rounds half of the number to an even one.
    """

    def __init__(self, height: Count, width: Count):
        super().__init__()
        self.height, self.width = height, width

    def forward(self, image: Tensor) -> Tensor:
        down, right = (max(wanted - there, 0) for wanted, there in zip(self.sides, image.shape[-2:], strict=True))
        if down or right:
            image = F.pad(image, (right // 2, right - right // 2, down // 2, down - down // 2))
        top, left = ((there - wanted) // 2 for wanted, there in zip(self.sides, image.shape[-2:], strict=True))
        return image[..., top : top + self.height, left : left + self.width]

    @property
    def sides(self) -> tuple[int, int]:
        return self.height, self.width
