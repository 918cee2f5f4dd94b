"""What activations must obey."""

from lawbook.spec_tests.test_activations.test_piecewise import (
    TestHardsigmoid,
    TestHardswish,
    TestHardtanh,
    TestLeakyRelu,
    TestPrelu,
    TestRelu,
    TestRelu6,
    TestThreshold,
)
from lawbook.spec_tests.test_activations.test_smooth import (
    TestElu,
    TestGelu,
    TestLogsigmoid,
    TestMish,
    TestScaledSigmoid,
    TestSelu,
    TestSigmoid,
    TestSilu,
    TestSoftplus,
    TestTanh,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestSigmoid",
    "TestTanh",
    "TestRelu",
    "TestRelu6",
    "TestLeakyRelu",
    "TestPrelu",
    "TestThreshold",
    "TestElu",
    "TestSelu",
    "TestHardtanh",
    "TestHardsigmoid",
    "TestHardswish",
    "TestGelu",
    "TestSilu",
    "TestMish",
    "TestSoftplus",
    "TestLogsigmoid",
    "TestScaledSigmoid",
]
