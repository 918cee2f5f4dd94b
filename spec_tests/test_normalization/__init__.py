"""What normalizations must obey."""

from lawbook.spec_tests.test_normalization.test_batch import TestBatchNorm, TestSwitchableNorm
from lawbook.spec_tests.test_normalization.test_sample import TestGroupNorm, TestInstanceNorm, TestLayerNorm

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestBatchNorm",
    "TestLayerNorm",
    "TestGroupNorm",
    "TestInstanceNorm",
    "TestSwitchableNorm",
]
