"""What must hold for the sequences chapter."""

from lawbook.spec_tests.test_sequences.test_batches import TestPerplexity, TestRandomBatches, TestSequentialBatches
from lawbook.spec_tests.test_sequences.test_signals import (
    TestAutoregressiveWindows,
    TestJointLogProbability,
    TestKStepPredictions,
    TestOneStepPredictions,
    TestSineSeries,
)
from lawbook.spec_tests.test_sequences.test_text import (
    TestCountCorpus,
    TestDecode,
    TestEncode,
    TestNormalizeText,
    TestTokenize,
    TestVocab,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestAutoregressiveWindows",
    "TestOneStepPredictions",
    "TestKStepPredictions",
    "TestJointLogProbability",
    "TestSineSeries",
    "TestNormalizeText",
    "TestTokenize",
    "TestCountCorpus",
    "TestVocab",
    "TestEncode",
    "TestDecode",
    "TestRandomBatches",
    "TestSequentialBatches",
    "TestPerplexity",
]
