"""Object detection: boxes, anchors, their targets, regions of interest, and a single-shot detector."""

from lawbook.reference.detection.anchors import (
    assign_anchors,
    multibox_prior,
    multibox_target,
    offset_boxes,
    offset_inverse,
)
from lawbook.reference.detection.boxes import (
    box_center_to_corner,
    box_corner_to_center,
    box_corner_to_xywh,
    box_iou,
)
from lawbook.reference.detection.proposals import rpn_proposals, yolo_decode
from lawbook.reference.detection.roi import bilinear_sample, roi_align, roi_pool
from lawbook.reference.detection.ssd import (
    box_errors,
    box_predictor_channels,
    class_errors,
    class_predictor_channels,
    concat_predictions,
    downsample_block,
    flatten_predictions,
    ssd_base,
    ssd_loss,
    tiny_ssd,
)
from lawbook.reference.detection.suppression import filter_detections, multibox_detection, nms

__all__ = [  # noqa: RUF022  (the catalogue's order)
    "box_corner_to_center",
    "box_center_to_corner",
    "box_corner_to_xywh",
    "box_iou",
    "multibox_prior",
    "assign_anchors",
    "offset_boxes",
    "offset_inverse",
    "multibox_target",
    "nms",
    "multibox_detection",
    "roi_pool",
    "bilinear_sample",
    "roi_align",
    "rpn_proposals",
    "yolo_decode",
    "flatten_predictions",
    "concat_predictions",
    "class_predictor_channels",
    "box_predictor_channels",
    "downsample_block",
    "ssd_base",
    "tiny_ssd",
    "ssd_loss",
    "class_errors",
    "box_errors",
    "filter_detections",
]
