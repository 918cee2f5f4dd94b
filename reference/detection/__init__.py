"""Object detection: boxes, regions of interest and the detectors built of them."""

from lawbook.reference.detection.roi import bilinear_sample, roi_align, roi_pool

__all__ = [  # noqa: RUF022  (the catalogue's order)
    "roi_pool",
    "bilinear_sample",
    "roi_align",
]
