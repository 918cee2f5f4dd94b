"""What must hold for the detection chapter."""

from lawbook.spec_tests.test_detection.test_alignment import TestBilinearSample, TestRoiAlign
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
from lawbook.spec_tests.test_detection.test_networks import TestDownsampleBlock, TestSsdBase, TestTinySsd
from lawbook.spec_tests.test_detection.test_proposals import TestFilterDetections, TestRpnProposals, TestYoloDecode
from lawbook.spec_tests.test_detection.test_roi import TestRoiPool
from lawbook.spec_tests.test_detection.test_ssd import (
    TestBoxErrors,
    TestBoxPredictorChannels,
    TestClassErrors,
    TestClassPredictorChannels,
    TestConcatPredictions,
    TestFlattenPredictions,
    TestSsdLoss,
)
from lawbook.spec_tests.test_detection.test_suppression import TestMultiboxDetection, TestNms

__all__ = [
    "TestAssignAnchors",
    "TestBilinearSample",
    "TestBoxCenterToCorner",
    "TestBoxCornerToCenter",
    "TestBoxCornerToXywh",
    "TestBoxErrors",
    "TestBoxIou",
    "TestBoxPredictorChannels",
    "TestClassErrors",
    "TestClassPredictorChannels",
    "TestConcatPredictions",
    "TestDownsampleBlock",
    "TestFilterDetections",
    "TestFlattenPredictions",
    "TestMultiboxDetection",
    "TestMultiboxPrior",
    "TestMultiboxTarget",
    "TestNms",
    "TestOffsetBoxes",
    "TestOffsetInverse",
    "TestRoiAlign",
    "TestRoiPool",
    "TestRpnProposals",
    "TestSsdBase",
    "TestSsdLoss",
    "TestTinySsd",
    "TestYoloDecode",
]
