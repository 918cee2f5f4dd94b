"""What data must obey."""

from lawbook.spec_tests.test_data.test_archives import TestExtractArchive
from lawbook.spec_tests.test_data.test_datasets import (
    TestCollate,
    TestConcatDatasets,
    TestImageFolderIndex,
    TestRandomSplit,
    TestTensorDataset,
)
from lawbook.spec_tests.test_data.test_downloads import TestVerifiedDownload
from lawbook.spec_tests.test_data.test_loading import (
    TestBatchSampler,
    TestDataIter,
    TestDataLoader,
    TestNumBatches,
    TestRandomSampler,
    TestSequentialSampler,
)
from lawbook.spec_tests.test_data.test_tabular import (
    TestFillMissing,
    TestOneHotCategories,
    TestStandardize,
    TestTabularFeatures,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "TestTensorDataset",
    "TestConcatDatasets",
    "TestRandomSplit",
    "TestSequentialSampler",
    "TestRandomSampler",
    "TestBatchSampler",
    "TestCollate",
    "TestDataLoader",
    "TestNumBatches",
    "TestDataIter",
    "TestImageFolderIndex",
    "TestStandardize",
    "TestFillMissing",
    "TestOneHotCategories",
    "TestTabularFeatures",
    "TestVerifiedDownload",
    "TestExtractArchive",
]
