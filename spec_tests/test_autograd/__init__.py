"""What automatic differentiation must obey."""

from lawbook.spec_tests.test_autograd.test_chains import (
    TestControlFlowGradient,
    TestInnerProductGradient,
    TestLeastSquaresGradient,
    TestVectorChainRule,
)
from lawbook.spec_tests.test_autograd.test_recording import TestAccumulate, TestDetach, TestLeafAndRetained, TestNoGrad
from lawbook.spec_tests.test_autograd.test_sweeps import TestForwardCost, TestJvp, TestReverseCost, TestVjp

__all__ = [
    "TestAccumulate",
    "TestControlFlowGradient",
    "TestDetach",
    "TestForwardCost",
    "TestInnerProductGradient",
    "TestJvp",
    "TestLeafAndRetained",
    "TestLeastSquaresGradient",
    "TestNoGrad",
    "TestReverseCost",
    "TestVectorChainRule",
    "TestVjp",
]
