"""What tensors must obey."""

from lawbook.spec_tests.test_tensors.test_arithmetic import (
    TestAdd,
    TestDiv,
    TestExp,
    TestLog,
    TestMul,
    TestNeg,
    TestPow,
    TestSqrt,
    TestSub,
)
from lawbook.spec_tests.test_tensors.test_inplace import (
    TestAddInPlace,
    TestDivInPlace,
    TestExpInPlace,
    TestLogInPlace,
    TestMulInPlace,
    TestNegInPlace,
    TestPowInPlace,
    TestSqrtInPlace,
    TestSubInPlace,
)
from lawbook.spec_tests.test_tensors.test_products import TestMatmul, TestMm

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestAdd",
    "TestSub",
    "TestMul",
    "TestDiv",
    "TestAddInPlace",
    "TestSubInPlace",
    "TestMulInPlace",
    "TestDivInPlace",
    "TestNeg",
    "TestPow",
    "TestSqrt",
    "TestLog",
    "TestExp",
    "TestNegInPlace",
    "TestPowInPlace",
    "TestSqrtInPlace",
    "TestLogInPlace",
    "TestExpInPlace",
    "TestMm",
    "TestMatmul",
]
