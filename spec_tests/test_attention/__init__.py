"""The laws of attention."""

from lawbook.spec_tests.test_attention.test_decoding import TestBahdanauDecoderStep
from lawbook.spec_tests.test_attention.test_heads import (
    TestMergeHeads,
    TestMultiHeadAttention,
    TestSelfAttention,
    TestSplitHeads,
)
from lawbook.spec_tests.test_attention.test_positions import (
    TestAttentionComplexity,
    TestCausalMask,
    TestPositionalEncoding,
    TestRelativeShiftMatrix,
)
from lawbook.spec_tests.test_attention.test_scores import (
    TestAdditiveAttention,
    TestDotProductAttention,
    TestGaussianAttention,
    TestMaskedSoftmax,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestMaskedSoftmax",
    "TestGaussianAttention",
    "TestAdditiveAttention",
    "TestDotProductAttention",
    "TestMultiHeadAttention",
    "TestSplitHeads",
    "TestMergeHeads",
    "TestSelfAttention",
    "TestCausalMask",
    "TestBahdanauDecoderStep",
    "TestPositionalEncoding",
    "TestRelativeShiftMatrix",
    "TestAttentionComplexity",
]
