"""What must hold for the augmentation chapter."""

from lawbook.spec_tests.test_augmentation.test_color import (
    TestAdjustBrightness,
    TestAdjustContrast,
    TestAdjustHue,
    TestAdjustSaturation,
)
from lawbook.spec_tests.test_augmentation.test_crops import TestCrop, TestResizedCrop
from lawbook.spec_tests.test_augmentation.test_geometry import TestHorizontalFlip, TestRotate, TestVerticalFlip
from lawbook.spec_tests.test_augmentation.test_parameters import TestColorJitterParams, TestRandomResizedCropParams
from lawbook.spec_tests.test_augmentation.test_pipeline import (
    TestCompose,
    TestFineTuneGroups,
    TestNormalize,
    TestToTensor,
)

__all__ = [
    "TestAdjustBrightness",
    "TestAdjustContrast",
    "TestAdjustHue",
    "TestAdjustSaturation",
    "TestColorJitterParams",
    "TestCompose",
    "TestCrop",
    "TestFineTuneGroups",
    "TestHorizontalFlip",
    "TestNormalize",
    "TestRandomResizedCropParams",
    "TestResizedCrop",
    "TestRotate",
    "TestToTensor",
    "TestVerticalFlip",
]
