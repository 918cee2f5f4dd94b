"""The laws of recurrent networks."""

from lawbook.spec_tests.test_recurrent.test_cells import TestGruCell, TestLstmCell, TestRnnCell
from lawbook.spec_tests.test_recurrent.test_layers import TestGru, TestLstm, TestRnn
from lawbook.spec_tests.test_recurrent.test_packed import TestDeepRecurrent, TestPackedRecurrent
from lawbook.spec_tests.test_recurrent.test_stacks import TestBeginState, TestRnnLanguageModel, TestWarmUpPredict
from lawbook.spec_tests.test_recurrent.test_training import TestBpttGradient, TestClipGradients, TestTruncatedBptt

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestRnnCell",
    "TestLstmCell",
    "TestGruCell",
    "TestRnn",
    "TestGru",
    "TestLstm",
    "TestDeepRecurrent",
    "TestPackedRecurrent",
    "TestRnnLanguageModel",
    "TestBeginState",
    "TestClipGradients",
    "TestWarmUpPredict",
    "TestTruncatedBptt",
    "TestBpttGradient",
]
