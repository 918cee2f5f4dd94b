"""What must hold for the parallelism chapter."""

from lawbook.spec_tests.test_parallelism.test_hardware import TestCacheLinesTouched, TestStepTime, TestSystolicMatmul
from lawbook.spec_tests.test_parallelism.test_workers import (
    TestAllReduce,
    TestDataParallelGradient,
    TestModelParallelForward,
    TestSplitBatch,
    TestSynchronousSgd,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestSplitBatch",
    "TestAllReduce",
    "TestDataParallelGradient",
    "TestSynchronousSgd",
    "TestModelParallelForward",
    "TestStepTime",
    "TestSystolicMatmul",
    "TestCacheLinesTouched",
]
