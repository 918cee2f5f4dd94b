"""What initialization must obey."""

from lawbook.spec_tests.test_initialization.test_filling import (
    TestInitConstant,
    TestInitEye,
    TestInitNormal,
    TestInitUniform,
    TestInitZeros,
)
from lawbook.spec_tests.test_initialization.test_propagation import TestActivationVariances, TestGradientNormProduct
from lawbook.spec_tests.test_initialization.test_scaling import (
    TestCalculateGain,
    TestFanInAndFanOut,
    TestKaimingNormal,
    TestKaimingUniform,
    TestLinearDefaultInit,
    TestXavierNormal,
    TestXavierUniform,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestInitZeros",
    "TestInitConstant",
    "TestInitEye",
    "TestInitNormal",
    "TestInitUniform",
    "TestFanInAndFanOut",
    "TestCalculateGain",
    "TestXavierUniform",
    "TestXavierNormal",
    "TestKaimingUniform",
    "TestKaimingNormal",
    "TestLinearDefaultInit",
    "TestActivationVariances",
    "TestGradientNormProduct",
]
