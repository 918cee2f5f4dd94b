"""What generalization must obey."""

from lawbook.spec_tests.test_generalization.test_noise import (
    TestApplyDropoutMask,
    TestDropout,
    TestDropout2d,
    TestDropout3d,
)
from lawbook.spec_tests.test_generalization.test_perceptrons import (
    TestMlp,
    TestPerceptronLoss,
    TestPerceptronStep,
    TestPerceptronTrain,
    TestXorNetwork,
)
from lawbook.spec_tests.test_generalization.test_selection import (
    TestKFoldIndices,
    TestPolynomialFeatures,
    TestTrainValidGap,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestPerceptronStep",
    "TestPerceptronLoss",
    "TestPerceptronTrain",
    "TestXorNetwork",
    "TestMlp",
    "TestPolynomialFeatures",
    "TestKFoldIndices",
    "TestTrainValidGap",
    "TestDropout",
    "TestApplyDropoutMask",
    "TestDropout2d",
    "TestDropout3d",
]
