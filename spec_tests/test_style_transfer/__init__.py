"""What must hold for the style transfer chapter."""

from lawbook.spec_tests.test_style_transfer.test_images import TestStylePostprocess, TestStylePreprocess
from lawbook.spec_tests.test_style_transfer.test_objective import (
    TestContentLoss,
    TestGram,
    TestStyleLoss,
    TestTransferLoss,
    TestTvLoss,
)
from lawbook.spec_tests.test_style_transfer.test_synthesis import TestExtractFeatures, TestSynthesize

__all__ = [
    "TestContentLoss",
    "TestExtractFeatures",
    "TestGram",
    "TestStyleLoss",
    "TestStylePostprocess",
    "TestStylePreprocess",
    "TestSynthesize",
    "TestTransferLoss",
    "TestTvLoss",
]
