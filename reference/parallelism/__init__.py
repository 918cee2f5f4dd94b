"""Training on several devices, and the hardware underneath."""

from lawbook.reference.parallelism.hardware import cache_lines_touched, step_time, systolic_matmul
from lawbook.reference.parallelism.workers import (
    all_reduce,
    data_parallel_gradient,
    model_parallel_forward,
    split_batch,
    synchronous_sgd,
)

__all__ = [  # noqa: RUF022 (the catalogue's order)
    "split_batch",
    "all_reduce",
    "data_parallel_gradient",
    "synchronous_sgd",
    "model_parallel_forward",
    "step_time",
    "systolic_matmul",
    "cache_lines_touched",
]
