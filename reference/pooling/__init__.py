"""Pooling and upsampling: windows that keep their largest element or their mean, and images made larger again."""

from lawbook.reference.pooling.averages import adaptive_avg_pool2d, avg_pool2d, global_avg_pool
from lawbook.reference.pooling.maxima import (
    adaptive_max_pool2d,
    fractional_max_pool2d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    pool2d,
)
from lawbook.reference.pooling.places import pool_output_size
from lawbook.reference.pooling.upsampling import upsample_bilinear, upsample_nearest

__all__ = [  # noqa: RUF022  (the catalogue's order)
    "pool2d",
    "pool_output_size",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "avg_pool2d",
    "adaptive_max_pool2d",
    "adaptive_avg_pool2d",
    "global_avg_pool",
    "fractional_max_pool2d",
    "upsample_nearest",
    "upsample_bilinear",
]
