"""Object detection: boxes, anchors, their targets, and what is made of predictions."""

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
    "rpn_proposals",
    "yolo_decode",
    "filter_detections",
]
