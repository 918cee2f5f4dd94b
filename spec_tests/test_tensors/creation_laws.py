"""What creation's Specs share: laws about memory, and results that are float32 whatever the working dtype."""

import torch

from lawbook.spec_tests.memory import window
from lawbook.spec_tests.spec import Invalid, require

FROM_NOTHING = {
    "memory_layout": "no argument is a tensor",
    "low_precision": "no argument is a tensor that would say the dtype",
    "nan_not_hidden": "no argument is a tensor that could hold nan",
    "extremes_stay_finite": "the values are not computed from the arguments",
    "accelerator_agrees": "no argument is a tensor that would say where to compute",
}


def bad_sizes(**rest):
    """Sizes that nobody can fill."""
    return (
        Invalid(ValueError, "a negative size", **{**rest, "size": (2, -3)}),
        Invalid(TypeError, "half a size", **{**rest, "size": (2, 1.5)}),
    )


NO_DTYPE = Invalid(TypeError, "a dtype that does not exist", size=(2, 3), dtype="float31")


def check_memory_of_its_own(impl, **arguments):
    """Require that a write to one element changes that element alone, and not what the next call gives."""
    native, before = impl.call_with(arguments)
    memory, before = window(native, impl), before.clone()
    memory[0, 1] = 5
    expected = before.clone()
    expected[0, 1] = 5
    require(torch.equal(memory, expected), "a write to one element changes others: they share their memory", got=memory)
    again = impl.call_with(arguments)[1]
    require(torch.equal(again, before), "a write to the result changes the result of the next call", got=again)


class SingleLaws:
    """For results that are float32 whatever the working dtype: they are judged by float32's rounding."""

    def test_agrees_with_reference(self, impl, case):
        """The result is the reference's, within what rounding to float32 may do."""
        return super().test_agrees_with_reference(impl, case.to(torch.float32))

    def test_repeated_calls_agree(self, impl, case):
        """The same input gives the same result again, also after another input in between."""
        return super().test_repeated_calls_agree(impl, case.to(torch.float32))

    def test_extremes_stay_finite(self, impl, case):
        """Extreme but legal values give the finite results they should."""
        return super().test_extremes_stay_finite(impl, case.to(torch.float32))

    def test_edge_sizes(self, impl):
        """No number, one number and the defaults give what the reference gives."""
        self.dtype = torch.float32
        return super().test_edge_sizes(impl)

    def near(self, got, case, truth):
        """How close a result comes to a truth that the reference's own rounding at this case is a yardstick for."""
        return self.oracle.check_like(got, case, truth, self.oracle.value_spread(case), self.rows(case))
