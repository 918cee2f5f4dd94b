"""Augmentation: images flipped, turned, cut and recoloured, random numbers for it, and groups of parameters to fine-tune."""

from lawbook.reference.augmentation.color import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation
from lawbook.reference.augmentation.geometry import crop, horizontal_flip, resized_crop, rotate, vertical_flip
from lawbook.reference.augmentation.parameters import color_jitter_params, random_resized_crop_params
from lawbook.reference.augmentation.pipeline import compose, fine_tune_groups, normalize, to_tensor

__all__ = [  # noqa: RUF022  (the catalogue's order)
    "horizontal_flip",
    "vertical_flip",
    "rotate",
    "crop",
    "resized_crop",
    "random_resized_crop_params",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_saturation",
    "adjust_hue",
    "color_jitter_params",
    "compose",
    "to_tensor",
    "normalize",
    "fine_tune_groups",
]
