"""Layers, how they are put together, counted, and kept in files."""

from lawbook.reference.modules.composition import apply_recursively, sequential
from lawbook.reference.modules.counting import model_summary, parameter_count
from lawbook.reference.modules.files import load_parameters, save_parameters
from lawbook.reference.modules.layers import (
    embedding,
    fixed_hidden_mlp,
    flatten,
    lazy_linear,
    linear,
    one_hot,
    shared_linear,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "linear",
    "embedding",
    "one_hot",
    "flatten",
    "sequential",
    "fixed_hidden_mlp",
    "shared_linear",
    "apply_recursively",
    "lazy_linear",
    "save_parameters",
    "load_parameters",
    "parameter_count",
    "model_summary",
]
