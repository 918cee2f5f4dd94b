"""What must hold for the detection chapter."""

from lawbook.spec_tests.test_detection.test_anchors import (
    TestAssignAnchors,
    TestMultiboxPrior,
    TestMultiboxTarget,
    TestOffsetBoxes,
    TestOffsetInverse,
)
from lawbook.spec_tests.test_detection.test_boxes import (
    TestBoxCenterToCorner,
    TestBoxCornerToCenter,
    TestBoxCornerToXywh,
    TestBoxIou,
)
from lawbook.spec_tests.test_detection.test_proposals import TestFilterDetections, TestRpnProposals, TestYoloDecode
from lawbook.spec_tests.test_detection.test_suppression import TestMultiboxDetection, TestNms

__all__ = [
    "TestAssignAnchors",
    "TestBoxCenterToCorner",
    "TestBoxCornerToCenter",
    "TestBoxCornerToXywh",
    "TestBoxIou",
    "TestFilterDetections",
    "TestMultiboxDetection",
    "TestMultiboxPrior",
    "TestMultiboxTarget",
    "TestNms",
    "TestOffsetBoxes",
    "TestOffsetInverse",
    "TestRpnProposals",
    "TestYoloDecode",
]
