"""What losses must obey."""

from lawbook.spec_tests.test_losses.test_binary import TestBceLoss, TestBceWithLogits, TestFocalLoss
from lawbook.spec_tests.test_losses.test_classification import (
    TestCrossEntropy,
    TestNllLoss,
    TestProbabilityCrossEntropy,
    TestSequenceCrossEntropy,
    TestSoftmaxCrossEntropyGradient,
    TestSymmetricCrossEntropy,
)
from lawbook.spec_tests.test_losses.test_distributions import (
    TestDistributionCrossEntropy,
    TestKlDivergence,
    TestLogSoftmax,
    TestSoftmax,
)
from lawbook.spec_tests.test_losses.test_objective import (
    TestAccuracy,
    TestAdaptiveLogSoftmax,
    TestCosineSimilarity,
    TestL1Penalty,
    TestL2Penalty,
    TestReduce,
    TestRegularizedObjective,
)
from lawbook.spec_tests.test_losses.test_regression import (
    TestHuberLoss,
    TestL1Loss,
    TestLogRmse,
    TestMseLoss,
    TestSmoothL1Loss,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestSoftmax",
    "TestLogSoftmax",
    "TestCrossEntropy",
    "TestNllLoss",
    "TestProbabilityCrossEntropy",
    "TestDistributionCrossEntropy",
    "TestSoftmaxCrossEntropyGradient",
    "TestSequenceCrossEntropy",
    "TestBceLoss",
    "TestBceWithLogits",
    "TestKlDivergence",
    "TestL1Loss",
    "TestMseLoss",
    "TestSmoothL1Loss",
    "TestHuberLoss",
    "TestFocalLoss",
    "TestSymmetricCrossEntropy",
    "TestCosineSimilarity",
    "TestAdaptiveLogSoftmax",
    "TestL1Penalty",
    "TestL2Penalty",
    "TestRegularizedObjective",
    "TestAccuracy",
    "TestLogRmse",
    "TestReduce",
]
