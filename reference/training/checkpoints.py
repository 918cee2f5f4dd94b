"""The state of training in a file: written as a whole, read back to the last bit, and refused unless it is the right one."""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lawbook.reference.modules import load_parameters, save_parameters

Path = str | os.PathLike[str]

TASK = "task"
DIGEST = "digest"


def fingerprint(component: str, **task: Any) -> Tensor:
    """What tells one task from another: SHA-256 of the component's name, its data and its settings.

    Args:
        component: the component's name.
        task: tensors, and numbers or texts or lists of them, by name. What may change between two sittings of one training,
            such as the number of epochs, is left out.

    Returns:
        (32,) uint8.
    """
    found = hashlib.sha256(component.encode())
    for name, value in sorted(task.items()):
        form = [str(value.dtype), list(value.shape)] if isinstance(value, Tensor) else value
        found.update(json.dumps([name, form]).encode())
        if isinstance(value, Tensor):
            found.update(_bytes(value))
    return _as_tensor(found.digest())


def save_checkpoint(path: Path, task: Tensor, state: Mapping[str, Tensor]) -> None:
    """Write everything that the next epoch depends on, in the safetensors format.

    A file that is there is replaced as a whole: at every moment the path holds the old state or the new one.

    Args:
        path: where to.
        task: the task's ``fingerprint``.
        state: tensors by name; none is called "task" or "digest".

    Raises:
        ValueError: a name is taken.
        OSError: the file cannot be written.
    """
    taken = {TASK, DIGEST} & set(state)
    if taken:
        raise ValueError(f"state has the names {sorted(taken)}, which are the checkpoint's own")
    whole = {**state, TASK: task}
    save_parameters(path, {**whole, DIGEST: _digest(whole)})


def load_checkpoint(path: Path, task: Tensor) -> dict[str, Tensor] | None:
    """Read a state back; None where there is no file.

    Raises:
        ValueError: the file is damaged, even by a single bit, holds something else, or belongs to another task.
        OSError: it is there and cannot be read.
    """
    if not os.path.exists(path):
        return None
    whole = load_parameters(path)
    digest = whole.pop(DIGEST, None)
    if digest is None or TASK not in whole:
        raise ValueError(f"{path} holds {sorted(whole)}, expected a checkpoint with its task and its digest")
    if not torch.equal(digest, _digest(whole)):
        raise ValueError(f"{path} is damaged: its digest is not that of what it holds")
    if not torch.equal(whole.pop(TASK), task):
        raise ValueError(f"{path} belongs to another task: other data, other settings or another seed")
    return whole


def _digest(state: Mapping[str, Tensor]) -> Tensor:
    return fingerprint("checkpoint", **state)


def _bytes(x: Tensor) -> bytes:
    flat = x.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def _as_tensor(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)
