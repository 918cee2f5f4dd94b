"""Another library's non-maximum suppression on trial, in NumPy.

pip install supervision
lawbook check examples/supervision_nms.py
"""

import numpy as np
import supervision as sv

ADAPTER = {"name": "supervision", "version": sv.__version__, "bridge": "numpy"}


def nms(boxes, scores, threshold):
    order = np.argsort(-scores, kind="stable")
    # Places stand for scores: which of equal ones comes first supervision leaves to its sort.
    places = np.arange(len(order), 0, -1.0)
    return order[sv.box_non_max_suppression(np.column_stack((boxes[order], places)), threshold)]
