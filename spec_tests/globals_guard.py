"""Global state that an implementation must leave as it found it."""

import os
import random
from typing import Any

import numpy as np
import torch


def capture() -> dict[str, Any]:
    """What is looked at, by the name a report uses."""
    return {
        "torch's random generator": torch.get_rng_state(),
        "NumPy's random generator": np.random.get_state(legacy=True),
        "Python's random generator": random.getstate(),
        "the default dtype": torch.get_default_dtype(),
        "the default device": torch.get_default_device(),
        "the grad mode": torch.is_grad_enabled(),
        "the thread count": torch.get_num_threads(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "flushing of denormal numbers": _flushes_denormals(),
        "NumPy's error handling": tuple(sorted(np.geterr().items())),
        "the working directory": os.getcwd(),
    }


def changed(before: dict[str, Any]) -> list[str]:
    """Names of what differs now."""
    return [name for name, value in capture().items() if not _same(value, before[name])]


def restore(before: dict[str, Any]) -> None:
    """Put everything back."""
    torch.set_rng_state(before["torch's random generator"])
    np.random.set_state(before["NumPy's random generator"])
    random.setstate(before["Python's random generator"])
    torch.set_default_dtype(before["the default dtype"])
    if torch.get_default_device() != before["the default device"]:
        torch.set_default_device(before["the default device"])
    torch.set_grad_enabled(before["the grad mode"])
    if torch.get_num_threads() != before["the thread count"]:
        torch.set_num_threads(before["the thread count"])
    # Setting it, even to what it is, imports torch.compile's back end: over a second.
    if torch.are_deterministic_algorithms_enabled() != before["deterministic algorithms"]:
        torch.use_deterministic_algorithms(before["deterministic algorithms"])
    torch.set_flush_denormal(before["flushing of denormal numbers"])
    np.seterr(**dict(before["NumPy's error handling"]))
    os.chdir(before["the working directory"])


def _flushes_denormals() -> bool:
    return bool((torch.tensor([1e-39], device="cpu") * 1.0 == 0).all())


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, tuple) and any(isinstance(x, np.ndarray) for x in a):
        return all(np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y for x, y in zip(a, b, strict=True))
    return bool(a == b)
