"""The laws of optimization."""

from lawbook.spec_tests.test_optimization.test_adaptive import TestAdagrad, TestAdam, TestRmsprop
from lawbook.spec_tests.test_optimization.test_descent import (
    TestGradientDescent,
    TestSgd,
    TestSgdMomentum,
    TestWeightDecayStep,
)
from lawbook.spec_tests.test_optimization.test_groups import TestPerParameterOptions
from lawbook.spec_tests.test_optimization.test_linear import (
    TestClosedFormSolution,
    TestLinearRegression,
    TestMinibatchGradient,
    TestSquaredLoss,
    TestSyntheticLinearData,
)
from lawbook.spec_tests.test_optimization.test_schedules import TestExponentialLr, TestMultiStepLr, TestStepLr

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestSyntheticLinearData",
    "TestLinearRegression",
    "TestSquaredLoss",
    "TestClosedFormSolution",
    "TestGradientDescent",
    "TestMinibatchGradient",
    "TestSgd",
    "TestSgdMomentum",
    "TestAdagrad",
    "TestRmsprop",
    "TestAdam",
    "TestPerParameterOptions",
    "TestWeightDecayStep",
    "TestStepLr",
    "TestMultiStepLr",
    "TestExponentialLr",
]
