"""From pictures to what a network reads, and back."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_axes, check_floating, check_tensor
from lawbook.reference.segmentation.images import MEAN, STD, WHITE


def style_preprocess(image: Tensor) -> Tensor:
    """Make a batch of one normalized image of a picture.

        y[0, c, i, j] = (image[i, j, c] − mean[c]) / std[c]         floating, from 0 to 1
        y[0, c, i, j] = (image[i, j, c] / 255 − mean[c]) / std[c]   uint8
        mean = (0.485, 0.456, 0.406),  std = (0.229, 0.224, 0.225)  for red, green and blue

    Args:
        image: (H, W, 3), uint8 or floating.

    Returns:
        (1, 3, H, W), the dtype of a floating image, float32 for uint8.

    Raises:
        TypeError: ``image`` is neither uint8 nor floating.
        ValueError: it has not three axes, of which the last is of size 3.

    Conventions: uint8 is divided and floating numbers are not, as by torchvision's ToTensor. Note 004 also resizes the
        picture before; here it has its size already.

    Source: note 004, style transfer (preprocess); Gatys, Ecker and Bethge 2016.
    """
    check_tensor("image", image)
    if image.dtype == torch.uint8:
        image = image.float() / WHITE
    check_floating("image", image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image has shape {tuple(image.shape)}, expected (H, W, 3)")
    y = (image - image.new_tensor(MEAN)) / image.new_tensor(STD)
    return y.permute(2, 0, 1).unsqueeze(0).contiguous()


def style_postprocess(image: Tensor) -> Tensor:
    """Make a picture of a batch of one normalized image.

        y[i, j, c] = min(max(image[0, c, i, j] · std[c] + mean[c], 0), 1)

    It undoes ``style_preprocess`` for all that lies in [0, 1], and cuts off what lies outside, where no gradient flows.

    Args:
        image: (1, 3, H, W), floating; mean and std as for ``style_preprocess``.

    Returns:
        (H, W, 3), the dtype of ``image``, in [0, 1].

    Raises:
        TypeError: ``image`` is not floating.
        ValueError: it is no batch of exactly one image of three channels.

    Conventions: note 004 takes the first image of a batch and drops the others without a word.

    Source: note 004, style transfer (postprocess).
    """
    check_floating("image", image)
    check_axes("image", image, 4)
    if image.shape[:2] != (1, 3):
        raise ValueError(f"image has shape {tuple(image.shape)}, expected (1, 3, H, W)")
    y = image[0].permute(1, 2, 0) * image.new_tensor(STD) + image.new_tensor(MEAN)
    return y.clamp(0, 1).contiguous()
