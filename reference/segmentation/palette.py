"""The colours by which Pascal VOC's label images name their classes."""

import torch
from torch import Tensor

from lawbook.reference.checks import check_integer

COLORS = (
    *((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128), (128, 128, 128)),
    *((64, 0, 0), (192, 0, 0), (64, 128, 0), (192, 128, 0), (64, 0, 128), (192, 0, 128), (64, 128, 128)),
    *((192, 128, 128), (0, 64, 0), (128, 64, 0), (0, 192, 0), (128, 192, 0), (0, 64, 128)),
)
CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train", "tv/monitor"),
)


def voc_palette() -> tuple[Tensor, tuple[str, ...]]:
    """Name the 21 classes of Pascal VOC and their colours.

        bit 7 − k of channel j of colors[c]  =  bit 3k + j of c        (k = 0, 1, 2;  j = 0, 1, 2 for red, green, blue)

    that is, the bits of the class are dealt out to red, green and blue in turn, from the highest bit of each downwards.

    Returns:
        ``colors``, (21, 3), uint8, a row of red, green and blue for every class; and ``classes``, the 21 names, of which
        the first is "background". The tensor is a new one at every call.

    Conventions: names are spelled as the note prints them: "diningtable", "potted plant", "tv/monitor". VOC's label images
        also hold (224, 224, 192) along the borders of objects. It belongs to no class.

    Source: note 004, semantic segmentation (VOC_COLORMAP, VOC_CLASSES); Everingham et al. 2010, the development kit of
        Pascal VOC.
    """
    return torch.tensor(COLORS, dtype=torch.uint8), CLASSES


def colormap_to_label(image: Tensor) -> Tensor:
    """Read the classes off a label image's colours.

        label[…, y, x] = c  where  image[…, :, y, x] = colors[c],   and 0 where it is none of the 21 colours

    Args:
        image: (…, 3, H, W), red, green and blue, integers of any dtype; images come in uint8.

    Returns:
        (…, H, W), int64, in 0..20. A colour that belongs to no class, VOC's border (224, 224, 192) too, gives the
        background, 0.

    Raises:
        TypeError: ``image`` does not hold integers.
        ValueError: its third axis from the end is not of size 3.

    Conventions: note 004 looks up a table of 256³ entries that is 0 where nothing was written. VOC's own evaluation does
        not count the border; whoever wants that tells it from the background before.

    Source: note 004, semantic segmentation (voc_colormap2label, voc_label_indices).
    """
    check_integer("image", image)
    check_channels("image", image)
    # Wider than uint8: 192 · 256 does not fit there.
    colors = torch.tensor(COLORS, device=image.device)
    same = (image.long().unsqueeze(-4) == colors[:, :, None, None]).all(-3)
    return (same * torch.arange(len(COLORS), device=image.device)[:, None, None]).sum(-3)


def label_to_colormap(labels: Tensor) -> Tensor:
    """Paint every class in its colour.

        image[…, :, y, x] = colors[labels[…, y, x]]

    Args:
        labels: (…, H, W), integers in 0..20.

    Returns:
        (…, 3, H, W), uint8.

    Raises:
        TypeError: ``labels`` does not hold integers.
        ValueError: ``labels`` has fewer than two axes.
        IndexError: a label is outside of 0..20. A negative one is, too.

    Source: note 004, semantic segmentation; Everingham et al. 2010.
    """
    check_integer("labels", labels)
    if labels.ndim < 2:
        raise ValueError(f"labels has shape {tuple(labels.shape)}, expected (…, H, W)")
    outside = (labels < 0) | (labels >= len(COLORS))
    if bool(outside.any()):
        raise IndexError(f"labels holds {labels[outside][0].item()}, expected 0..{len(COLORS) - 1}")
    colors = torch.tensor(COLORS, dtype=torch.uint8, device=labels.device)
    return colors[labels.long()].movedim(-1, -3).contiguous()


def check_channels(name: str, image: Tensor) -> None:
    """Raise ValueError unless the third axis from the end holds red, green and blue."""
    if image.ndim < 3 or image.shape[-3] != 3:
        raise ValueError(f"{name} has shape {tuple(image.shape)}, expected (…, 3, H, W)")
