"""Tensors: creation, arithmetic, reduction, indexing and shape; which of them copy, share memory or refuse."""

from lawbook.reference.tensors.arithmetic import add, div, exp, log, mul, neg, pow, sqrt, sub
from lawbook.reference.tensors.creation import (
    arange,
    eye,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from lawbook.reference.tensors.inplace import add_, div_, exp_, log_, mul_, neg_, pow_, sqrt_, sub_
from lawbook.reference.tensors.products import matmul, mm
from lawbook.reference.tensors.random import normal, rand, randint, randn, randperm
from lawbook.reference.tensors.storage import cast, copy_from_numpy, from_numpy, item, to_numpy

__all__ = [  # noqa: RUF022 (the order of the catalogue)
    "zeros",
    "ones",
    "full",
    "zeros_like",
    "ones_like",
    "full_like",
    "eye",
    "arange",
    "linspace",
    "logspace",
    "rand",
    "randint",
    "randn",
    "normal",
    "randperm",
    "cast",
    "to_numpy",
    "from_numpy",
    "copy_from_numpy",
    "item",
    "add",
    "sub",
    "mul",
    "div",
    "add_",
    "sub_",
    "mul_",
    "div_",
    "neg",
    "pow",
    "sqrt",
    "log",
    "exp",
    "neg_",
    "pow_",
    "sqrt_",
    "log_",
    "exp_",
    "mm",
    "matmul",
]
