"""What must hold for convolutional networks and their blocks."""

from lawbook.spec_tests.test_cnn.test_blocks import TestNin, TestNinBlock, TestVgg, TestVggBlock
from lawbook.spec_tests.test_cnn.test_inception import TestGooglenet, TestInceptionBlock
from lawbook.spec_tests.test_cnn.test_plain import TestAlexnet, TestLenet, TestLenetBn
from lawbook.spec_tests.test_cnn.test_residual import (
    TestResidualBlock,
    TestResnet18,
    TestResnet34,
    TestResnet50,
    TestResnet101,
    TestResnet152,
)

__all__ = [
    "TestAlexnet",
    "TestGooglenet",
    "TestInceptionBlock",
    "TestLenet",
    "TestLenetBn",
    "TestNin",
    "TestNinBlock",
    "TestResidualBlock",
    "TestResnet18",
    "TestResnet34",
    "TestResnet50",
    "TestResnet101",
    "TestResnet152",
    "TestVgg",
    "TestVggBlock",
]
