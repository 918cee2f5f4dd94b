"""What must hold for the pooling chapter."""

from lawbook.spec_tests.test_pooling.test_adaptive_maxima import TestAdaptiveMaxPool2d, TestFractionalMaxPool2d
from lawbook.spec_tests.test_pooling.test_averages import TestAdaptiveAvgPool2d, TestAvgPool2d, TestGlobalAvgPool
from lawbook.spec_tests.test_pooling.test_maxima import (
    TestMaxPool1d,
    TestMaxPool2d,
    TestMaxPool3d,
    TestPool2d,
    TestPoolOutputSize,
)
from lawbook.spec_tests.test_pooling.test_upsampling import TestUpsampleBilinear, TestUpsampleNearest

__all__ = [
    "TestAdaptiveAvgPool2d",
    "TestAdaptiveMaxPool2d",
    "TestAvgPool2d",
    "TestFractionalMaxPool2d",
    "TestGlobalAvgPool",
    "TestMaxPool1d",
    "TestMaxPool2d",
    "TestMaxPool3d",
    "TestPool2d",
    "TestPoolOutputSize",
    "TestUpsampleBilinear",
    "TestUpsampleNearest",
]
