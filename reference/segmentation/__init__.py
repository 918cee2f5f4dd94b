"""Semantic segmentation: colours and classes, pairs of crops, a fully convolutional head, and how maps are scored."""

from lawbook.reference.segmentation.heads import bilinear_kernel, fcn_head
from lawbook.reference.segmentation.images import crop_pair, normalize_rgb
from lawbook.reference.segmentation.palette import colormap_to_label, label_to_colormap, voc_palette
from lawbook.reference.segmentation.scores import mean_iou, pixel_accuracy

__all__ = [  # noqa: RUF022  (the catalogue's order)
    "voc_palette",
    "colormap_to_label",
    "label_to_colormap",
    "crop_pair",
    "bilinear_kernel",
    "fcn_head",
    "pixel_accuracy",
    "mean_iou",
    "normalize_rgb",
]
