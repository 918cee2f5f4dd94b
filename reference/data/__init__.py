"""Data sets, the order they are read in, tables, and files from elsewhere."""

from lawbook.reference.data.archives import extract_archive
from lawbook.reference.data.datasets import (
    collate,
    concat_datasets,
    image_folder_index,
    random_split,
    tensor_dataset,
)
from lawbook.reference.data.downloads import verified_download
from lawbook.reference.data.loading import (
    batch_sampler,
    data_iter,
    data_loader,
    num_batches,
    random_sampler,
    sequential_sampler,
)
from lawbook.reference.data.tabular import fill_missing, one_hot_categories, standardize, tabular_features

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "tensor_dataset",
    "concat_datasets",
    "random_split",
    "sequential_sampler",
    "random_sampler",
    "batch_sampler",
    "collate",
    "data_loader",
    "num_batches",
    "data_iter",
    "image_folder_index",
    "standardize",
    "fill_missing",
    "one_hot_categories",
    "tabular_features",
    "verified_download",
    "extract_archive",
]
