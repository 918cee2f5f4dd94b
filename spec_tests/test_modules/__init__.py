"""What modules must obey."""

from lawbook.spec_tests.test_modules.test_composition import TestApplyRecursively, TestSequential
from lawbook.spec_tests.test_modules.test_counting import TestModelSummary, TestParameterCount
from lawbook.spec_tests.test_modules.test_files import TestLoadParameters, TestSaveParameters
from lawbook.spec_tests.test_modules.test_layers import (
    TestEmbedding,
    TestFixedHiddenMlp,
    TestFlatten,
    TestLazyLinear,
    TestLinear,
    TestOneHot,
    TestSharedLinear,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestLinear",
    "TestEmbedding",
    "TestOneHot",
    "TestFlatten",
    "TestSequential",
    "TestFixedHiddenMlp",
    "TestSharedLinear",
    "TestApplyRecursively",
    "TestLazyLinear",
    "TestSaveParameters",
    "TestLoadParameters",
    "TestParameterCount",
    "TestModelSummary",
]
