"""What is done to images before they are segmented: crops in pairs, channels of mean 0 and deviation 1."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_integer, check_tensor, check_whole
from lawbook.reference.segmentation.palette import check_channels

# Means and deviations of the channels over ImageNet, on the scale where white is 1.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
WHITE = 255


def crop_pair(feature: Tensor, label: Tensor, height: int, width: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Cut the same random region out of an image and of its labels.

        (feature[…, t : t + height, l : l + width], label[…, t : t + height, l : l + width])

    where (t, l) is any of the (H − height + 1)(W − width + 1) places, all equally likely. Segmentation crops where
    classification would resize: labels cannot be interpolated.

    Args:
        feature: (…, H, W), any dtype.
        label: (…, H, W), any dtype; either an image (3, H, W) of colours or classes (H, W).
        height, width: of the region, at least 1.
        seed: the same seed gives the same region.

    Returns:
        Both crops, (…, height, width), of the dtypes given. They may share memory with the arguments.

    Raises:
        ValueError: the region is larger than the image, H and W of both differ, a size is below 1, or a tensor has fewer
            than two axes.
        TypeError: an argument is no tensor, or a size or the seed no whole number.

    Conventions: which place belongs to a seed is each library's own affair.

    Source: note 004, semantic segmentation (voc_rand_crop).
    """
    height, width = check_whole("height", height, 1), check_whole("width", width, 1)
    check_whole("seed", seed)
    for name, image in (("feature", feature), ("label", label)):
        check_tensor(name, image)
        if image.ndim < 2 or image.shape[-2:] != feature.shape[-2:]:
            raise ValueError(
                f"{name} has shape {tuple(image.shape)}, feature {tuple(feature.shape)}: H and W must agree"
            )
    rows, columns = feature.shape[-2] - height + 1, feature.shape[-1] - width + 1
    if rows < 1 or columns < 1:
        raise ValueError(f"feature has shape {tuple(feature.shape)}, expected at least {height}×{width}")
    place = int(torch.randint(rows * columns, (), generator=torch.Generator().manual_seed(seed)))
    top, left = divmod(place, columns)
    region = (..., slice(top, top + height), slice(left, left + width))
    return feature[region].clone(), label[region].clone()


def normalize_rgb(image: Tensor) -> Tensor:
    """Bring the channels of an image to the scale that networks trained on ImageNet expect.

        y[…, c, :, :] = (image[…, c, :, :] / 255 − mean[c]) / std[c]
        mean = (0.485, 0.456, 0.406),  std = (0.229, 0.224, 0.225)  for red, green and blue

    Its inverse is 255 · (y · std + mean).

    Args:
        image: (…, 3, H, W), from 0 to 255, integers or floating.

    Returns:
        (…, 3, H, W), the dtype of a floating image, float32 for integers.

    Raises:
        TypeError: ``image`` is neither floating nor integers.
        ValueError: its third axis from the end is not of size 3.

    Source: note 004, semantic segmentation (normalize_image).
    """
    check_tensor("image", image)
    if not image.is_floating_point():
        check_integer("image", image)
        image = image.float()
    check_channels("image", image)
    mean, std = image.new_tensor(MEAN).view(3, 1, 1), image.new_tensor(STD).view(3, 1, 1)
    return (image / WHITE - mean) / std
