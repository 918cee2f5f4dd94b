"""Tensors: creation, arithmetic, reduction, indexing and shape; which of them copy, share memory or refuse."""

from lawbook.reference.tensors.arithmetic import add, div, exp, log, mul, neg, pow, sqrt, sub
from lawbook.reference.tensors.inplace import add_, div_, exp_, log_, mul_, neg_, pow_, sqrt_, sub_
from lawbook.reference.tensors.products import matmul, mm

__all__ = [  # noqa: RUF022 (the catalogue's order)
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
