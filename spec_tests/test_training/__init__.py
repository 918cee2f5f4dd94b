"""What must hold for the training chapter."""

from lawbook.spec_tests.test_training.test_bert import TestTrainBert
from lawbook.spec_tests.test_training.test_classifier import TestTrainClassifier
from lawbook.spec_tests.test_training.test_curves import TestLearningCurves
from lawbook.spec_tests.test_training.test_detector import TestTrainDetector
from lawbook.spec_tests.test_training.test_epochs import TestEarlyStopping, TestTrainEpoch
from lawbook.spec_tests.test_training.test_evaluation import TestEvaluateAccuracy, TestEvaluateLoss
from lawbook.spec_tests.test_training.test_language_model import TestTrainLanguageModel
from lawbook.spec_tests.test_training.test_logs import TestLogGraph, TestLogHistogram, TestLogImage, TestLogScalars
from lawbook.spec_tests.test_training.test_meters import TestAccumulator, TestTimer
from lawbook.spec_tests.test_training.test_seq2seq import TestTrainSeq2seq

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestAccumulator",
    "TestTimer",
    "TestEvaluateAccuracy",
    "TestEvaluateLoss",
    "TestTrainEpoch",
    "TestTrainClassifier",
    "TestTrainLanguageModel",
    "TestTrainSeq2seq",
    "TestTrainDetector",
    "TestTrainBert",
    "TestEarlyStopping",
    "TestLogScalars",
    "TestLogHistogram",
    "TestLogImage",
    "TestLogGraph",
    "TestLearningCurves",
]
