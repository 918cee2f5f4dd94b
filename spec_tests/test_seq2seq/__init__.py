"""The laws of sequence to sequence."""

from lawbook.spec_tests.test_seq2seq.test_batches import (
    TestBuildArrays,
    TestSequenceMask,
    TestTeacherForcingInput,
    TestTruncatePad,
)
from lawbook.spec_tests.test_seq2seq.test_coding import TestEncodeDecode, TestSeq2seqDecoder, TestSeq2seqEncoder
from lawbook.spec_tests.test_seq2seq.test_scoring import TestBleu, TestMaskedSoftmaxCe
from lawbook.spec_tests.test_seq2seq.test_search import TestBeamSearch, TestExhaustiveSearch, TestGreedySearch

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestEncodeDecode",
    "TestSeq2seqEncoder",
    "TestSeq2seqDecoder",
    "TestTruncatePad",
    "TestBuildArrays",
    "TestTeacherForcingInput",
    "TestSequenceMask",
    "TestMaskedSoftmaxCe",
    "TestGreedySearch",
    "TestExhaustiveSearch",
    "TestBeamSearch",
    "TestBleu",
]
