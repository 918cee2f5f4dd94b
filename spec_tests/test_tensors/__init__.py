"""What tensors must obey."""

from lawbook.spec_tests.test_tensors.test_creation import (
    TestArange,
    TestEye,
    TestFull,
    TestFullLike,
    TestLinspace,
    TestLogspace,
    TestOnes,
    TestOnesLike,
    TestZeros,
    TestZerosLike,
)
from lawbook.spec_tests.test_tensors.test_random import (
    TestNormal,
    TestRand,
    TestRandint,
    TestRandn,
    TestRandperm,
)
from lawbook.spec_tests.test_tensors.test_storage import (
    TestCast,
    TestCopyFromNumpy,
    TestFromNumpy,
    TestItem,
    TestToNumpy,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestZeros",
    "TestOnes",
    "TestFull",
    "TestZerosLike",
    "TestOnesLike",
    "TestFullLike",
    "TestEye",
    "TestArange",
    "TestLinspace",
    "TestLogspace",
    "TestRand",
    "TestRandint",
    "TestRandn",
    "TestNormal",
    "TestRandperm",
    "TestCast",
    "TestToNumpy",
    "TestFromNumpy",
    "TestCopyFromNumpy",
    "TestItem",
]
