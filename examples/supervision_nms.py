"""Another library's non-maximum suppression on trial, in NumPy.

pip install supervision
lawbook check examples/supervision_nms.py
"""

import numpy as np
import supervision
from supervision.detection.utils.iou_and_nms import box_non_max_suppression

ADAPTER = {"name": "supervision", "version": supervision.__version__, "bridge": "numpy"}


def nms(boxes, scores, threshold):
    order = np.argsort(-scores, kind="stable")
    # Places stand for scores: which of equal ones comes first supervision leaves to its sort.
    places = np.arange(len(order), 0, -1.0)
    return order[box_non_max_suppression(np.column_stack((boxes[order], places)), threshold)]
