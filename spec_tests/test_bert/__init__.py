"""The laws of BERT."""

from lawbook.spec_tests.test_bert.test_examples import (
    TestNextSentencePairs,
    TestPadBertBatch,
    TestTokensAndSegments,
)
from lawbook.spec_tests.test_bert.test_masking import TestMaskTokens
from lawbook.spec_tests.test_bert.test_network import TestBertEmbeddings, TestBertEncoder, TestBertModel
from lawbook.spec_tests.test_bert.test_tasks import (
    TestBertLoss,
    TestBertParameterCount,
    TestMaskLmHead,
    TestNextSentenceHead,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestTokensAndSegments",
    "TestBertEmbeddings",
    "TestBertEncoder",
    "TestMaskLmHead",
    "TestNextSentenceHead",
    "TestBertModel",
    "TestMaskTokens",
    "TestNextSentencePairs",
    "TestPadBertBatch",
    "TestBertLoss",
    "TestBertParameterCount",
]
