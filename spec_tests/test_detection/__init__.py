"""What detection must obey."""

from lawbook.spec_tests.test_detection.test_roi import TestBilinearSample, TestRoiAlign, TestRoiPool

__all__ = [  # noqa: RUF022 (the order of the catalogue)
    "TestRoiPool",
    "TestBilinearSample",
    "TestRoiAlign",
]
