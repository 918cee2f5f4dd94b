"""What must hold for the segmentation chapter."""

from lawbook.spec_tests.test_segmentation.test_heads import TestBilinearKernel, TestFcnHead
from lawbook.spec_tests.test_segmentation.test_images import TestCropPair, TestNormalizeRgb
from lawbook.spec_tests.test_segmentation.test_palette import TestColormapToLabel, TestLabelToColormap, TestVocPalette
from lawbook.spec_tests.test_segmentation.test_scores import TestMeanIou, TestPixelAccuracy

__all__ = [
    "TestBilinearKernel",
    "TestColormapToLabel",
    "TestCropPair",
    "TestFcnHead",
    "TestLabelToColormap",
    "TestMeanIou",
    "TestNormalizeRgb",
    "TestPixelAccuracy",
    "TestVocPalette",
]
