"""Where an implementation computes: real torch devices, and two simulated ones to try the accelerator law without any."""

import contextlib
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from lawbook.fixtures.tree import map_leaves, values

GRADIENT: Any = vars(torch._C.TensorBase)["grad"].__get__
"""What reading ``x.grad`` calls."""


class Device:
    """A torch device: tensors are sent there and fetched back."""

    def __init__(self, name: str):
        self.name = name
        self._device = torch.device(name)
        torch.empty(1, device=self._device)

    def in_use(self) -> contextlib.AbstractContextManager[Any]:
        """While an implementation computes."""
        return contextlib.nullcontext()

    def send(self, tree: Any) -> Any:
        """Every tensor on the device."""
        return map_leaves(lambda leaf: leaf.to(self._device) if isinstance(leaf, Tensor) else leaf, tree)

    def strays(self, tree: Any) -> list[str]:
        """Devices of results that are not on this one."""
        found = {leaf.device for leaf in values(tree) if isinstance(leaf, Tensor)}
        return sorted(str(device) for device in found if device.type != self._device.type)

    def fetch(self, tree: Any) -> Any:
        """Every tensor back on the CPU."""
        return map_leaves(lambda leaf: leaf.detach().cpu() if isinstance(leaf, Tensor) else leaf, tree)


class Elsewhere(Tensor):
    """A CPU tensor that plays at living on an accelerator whose matrix units round their inputs to ``bits``."""

    bits = 24
    PRODUCTS = ("matmul", "mm", "bmm", "einsum", "linear", "conv1d", "conv2d", "conv3d", "addmm", "baddbmm")

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__name__", "").strip("_") in cls.PRODUCTS:
            args = tree_map(lambda x: cls._rounded(x) if isinstance(x, Tensor) else x, args)
        result = super().__torch_function__(function, types, args, kwargs or {})
        # The one result that keeps another type: a gradient lies where its tensor does.
        of_a_leaf = function == GRADIENT and result is not None
        return result.as_subclass(cls) if of_a_leaf else result

    @classmethod
    def _rounded(cls, x: Tensor) -> Tensor:
        if cls.bits >= 24 or not x.is_floating_point():
            return x
        with torch._C.DisableTorchFunctionSubclass():
            mantissa, exponent = torch.frexp(x)
            rounded = torch.ldexp(torch.round(mantissa * 2**cls.bits) / 2**cls.bits, exponent)
        return rounded.as_subclass(cls)


class ElsewhereCoarse(Elsewhere):
    """The same with 11 bits, as TensorFloat-32 has."""

    bits = 11


class Following(TorchFunctionMode):
    """What is made on a device that is named, as in ``torch.zeros(3, device=x.device)``, is made on the simulated one.

    Its tensors say that they are on the CPU.
    """

    def __init__(self, kind: type[Elsewhere]):
        super().__init__()
        self._kind = kind

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        named = (kwargs or {}).get("device") is not None
        return result.as_subclass(self._kind) if named and type(result) is Tensor and not result.is_meta else result


class Simulated(Device):
    """An accelerator made of CPU tensors of another type."""

    def __init__(self, name: str, kind: type[Elsewhere]):
        self.name = name
        self._kind = kind

    def in_use(self) -> contextlib.AbstractContextManager[Any]:
        return Following(self._kind)

    def send(self, tree: Any) -> Any:
        return map_leaves(lambda leaf: leaf.clone().as_subclass(self._kind) if isinstance(leaf, Tensor) else leaf, tree)

    def strays(self, tree: Any) -> list[str]:
        off = any(isinstance(leaf, Tensor) and not isinstance(leaf, Elsewhere) for leaf in values(tree))
        return ["cpu"] if off else []

    def fetch(self, tree: Any) -> Any:
        return map_leaves(lambda leaf: leaf.detach().as_subclass(Tensor) if isinstance(leaf, Tensor) else leaf, tree)


def device(name: str) -> Device:
    """The device of that name: any of torch's, or ``simulated`` (exact) or ``simulated-tf32`` (coarse products).

    Raises:
        ValueError: torch does not know it or cannot allocate there.
    """
    if name == "simulated":
        return Simulated(name, Elsewhere)
    if name == "simulated-tf32":
        return Simulated(name, ElsewhereCoarse)
    try:
        return Device(name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from None
