"""Laws of results that share memory with an argument."""

import torch

from lawbook.fixtures.implementation import Raised, copy
from lawbook.spec_tests.memory import window
from lawbook.spec_tests.spec import Spec, require

MOVED = {"extremes_stay_finite": "nothing is computed: the result holds elements of the arguments"}
SHARED = MOVED | {"no_aliasing": "the result is to share the memory of x: laws of its own say how"}


def spread_out(x):
    """The same values with a foreign number between any two of them."""
    buffer = torch.full((*x.shape, 2), 77, dtype=x.dtype)
    buffer[..., 0] = x
    return buffer[..., 0]


def turned(x):
    """The same values in memory column by column."""
    order = list(range(x.ndim))[::-1]
    return x.permute(order).clone(memory_format=torch.contiguous_format).permute(order)


def trimmed(x):
    """The same values with a foreign number after every row."""
    buffer = torch.full((*x.shape[:-1], x.shape[-1] + 1), 77, dtype=x.dtype)
    buffer[..., :-1] = x
    return buffer[..., :-1]


LAYOUTS = {"contiguous": torch.clone, "strided": spread_out, "transposed": turned, "trimmed": trimmed}


def refuses(impl, **arguments):
    """Whether the call raises an ordinary exception."""
    try:
        impl.call_with(arguments)
    except Raised as raised:
        if not isinstance(raised.error, Exception):
            raise
        return True
    return False


def require_elements(seen, expected, message):
    """Require the very same shape and numbers."""
    require(seen.shape == expected.shape, f"the result has shape {tuple(seen.shape)}, expected {tuple(expected.shape)}")
    require(torch.equal(seen, expected), message, got=seen, expected=expected)


class View(Spec):
    """The result shows the memory of x."""

    declines = SHARED
    differentiable = ("x",)
    layouts: tuple[str, ...] = tuple(LAYOUTS)

    def test_writing_into_the_result_shows_in_x(self, impl, case):
        """The result is a view: what is written into it stands in x, at the right places, and nowhere else."""
        given, wanted = copy(case.arguments), copy(case.arguments)
        shown = self.component(**wanted)
        new = case.noise(shown.shape)
        seen = window(impl.call_with(given)[0], impl)
        require(seen.shape == shown.shape, f"the result has shape {tuple(seen.shape)}, expected {tuple(shown.shape)}")
        seen.copy_(new)
        shown.copy_(new)
        require(
            torch.equal(given["x"], wanted["x"]),
            "what was written into the result does not stand in x where it should",
            got=given["x"],
            expected=wanted["x"],
        )

    def test_writing_into_x_shows_in_the_result(self, impl, case):
        """The result is a view of x in any memory layout: what is written into x later shows in it."""
        for name in self.layouts:
            x = LAYOUTS[name](case.x)
            seen = window(impl.call_with({**copy(case.arguments), "x": x})[0], impl)
            x.copy_(case.noise(x.shape))
            expected = self.component(**{**case.arguments, "x": x})
            require_elements(seen, expected, f"what was written into x ({name}) does not show in the result")
