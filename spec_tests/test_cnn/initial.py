"""What an implementation's own ``<name>_init``, ``<name>_shapes`` and ``<name>_parameter_count`` owe the contract.

Judged where an implementation offers them; the laws of the networks use lawbook's own otherwise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lawbook.fixtures.tree import leaves, ordered
from lawbook.fixtures.trial import Trial
from lawbook.reference import cnn
from lawbook.spec_tests.spec import require
from lawbook.spec_tests.test_initialization.laws import check_distribution, check_second_moment, normal, uniform

Options = dict[str, Any]
ENOUGH = 1500
"""So many numbers of a layer are looked at."""


def helper(impl: Trial, name: str) -> Callable[..., Any] | None:
    """The implementation's own function of that name, as a call; None where it offers none."""
    function = impl.implementation.function(name)
    return function and (lambda *args, **options: impl.implementation.to_torch(function(*args, **options)))


@dataclass(frozen=True)
class Helpers:
    """What the helpers of a network are tried with.

    Args:
        small: options of ``<name>_init`` with which little is drawn.
        init, count: options of ``<name>_init``, whose parameters take no memory, and of ``<name>_parameter_count``.
        wrong: shapes of images that ``<name>_shapes`` refuses, besides those that are none.
        too_small: options that ``<name>_init`` refuses together with the small ones.
        small_images: shapes of images for which ``<name>_shapes`` is asked beside the usual one.
        rectified: whether weights are normal with variance 2 / inputs, or uniform within √(6 / (inputs + outputs)).
    """

    small: Options
    init: tuple[Options, ...] = ({},)
    count: tuple[Options, ...] = ({}, {"in_channels": 2, "classes": 7})
    wrong: tuple[tuple[int, ...], ...] = ()
    too_small: tuple[Options, ...] = ({"in_channels": 0}, {"classes": 0})
    small_images: tuple[tuple[int, ...], ...] = ()
    rectified: bool = True

    def check(self, impl: Trial, image: tuple[int, int, int]) -> None:
        """Judge those that the implementation offers."""
        self.check_init(impl)
        self.check_shapes(impl, image)
        self.check_count(impl)

    def check_init(self, impl: Trial) -> None:
        """What there is, what is drawn, what is refused."""
        name = f"{impl.component}_init"
        init, own = helper(impl, name), getattr(cnn, name)
        if init is None:
            return
        for options in self.init if impl.implementation.bridge == "torch" else ():
            # Without memory: tensors on the device meta have shapes only.
            check_form(init(0, **options, device="meta"), own(0, **options, device="meta"), f"{name} with {options}")
        before = torch.get_rng_state()
        first = init(3, **self.small)
        require(torch.equal(before, torch.get_rng_state()), f"{name} draws from the global generator")
        check_form(first, own(3, **self.small), f"{name} with {self.small}")
        again, other = (dict(leaves(init(seed, **self.small))) for seed in (3, 4))
        require(all(torch.equal(leaf, again[path]) for path, leaf in leaves(first)), f"{name}: one seed, two networks")
        require(
            any(not torch.equal(leaf, other[path]) for path, leaf in leaves(first)), f"{name}: two seeds, one network"
        )
        _check_numbers(first, self.rectified, name)
        for wrong in self.too_small:
            _check_refused(init, 0, **{**self.small, **wrong})

    def check_shapes(self, impl: Trial, image: tuple[int, int, int]) -> None:
        """The list of stages by default options, and what is refused."""
        name = f"{impl.component}_shapes"
        shapes = helper(impl, name)
        if shapes is None:
            return
        for given in ((3, *image), *self.small_images):
            found, expected = (
                [(stage, tuple(shape)) for stage, shape in listed(given)] for listed in (shapes, getattr(cnn, name))
            )
            require(found == expected, f"{name}({given}) gives {found}, expected {expected}")
        for shape in (image, (1, *image, 1), (0, *image), *self.wrong):
            _check_refused(shapes, shape)

    def check_count(self, impl: Trial) -> None:
        """The number of parameters by default and with options."""
        name = f"{impl.component}_parameter_count"
        count = helper(impl, name)
        if count is None:
            return
        for options in self.count:
            found, expected = count(**options), getattr(cnn, name)(**options)
            require(found == expected, f"{name} with {options} gives {found}, expected {expected}")


def _check_refused(call: Callable[..., Any], *args: Any, **options: Any) -> None:
    try:
        call(*args, **options)
    except ValueError:
        return
    require(False, f"{args} with {options} is not refused")


def check_form(found: Any, expected: Any, what: str) -> None:
    """Require the same keys, shapes and dtypes."""
    got, true = (
        [(path, tuple(leaf.shape), leaf.dtype) for path, leaf in leaves(ordered(tree))] for tree in (found, expected)
    )
    require(got == true, f"{what} gives {got}, expected {true}")


def _check_numbers(params: Any, rectified: bool, name: str) -> None:
    """Biases, shifts and moving means are 0, scales and moving variances 1; the weights are a sample of their distribution."""
    drawn: list[Tensor] = []
    for path, leaf in leaves(params):
        if path.endswith("['weight']"):
            inputs, outputs = leaf[0].numel(), leaf.numel() // leaf.shape[1]
            scale = math.sqrt(2 / inputs if rectified else 6 / (inputs + outputs))
            drawn.append(leaf.double().flatten()[:ENOUGH] / scale)
            if not rectified:
                most = float(leaf.abs().max())
                require(most <= scale * (1 + 1e-6), f"{name}: {path} holds {most:.4f}, expected {scale:.4f} at most")
        else:
            constant = float("gamma" in path or "moving_var" in path)
            require((leaf == constant).all(), f"{name}: {path} is not {constant:g} throughout")
    distribution = normal(1) if rectified else uniform(1)
    for check in (check_distribution, check_second_moment):
        check(torch.cat(drawn)[:100_000], distribution, f"weights of {name} over their scale")
