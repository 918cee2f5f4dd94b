"""Derivatives from values alone, a tiny imaginary step away: what laws of automatic differentiation hold gradients against."""

import pytest
import torch

from lawbook.fixtures.cases.kit import Case
from lawbook.spec_tests.test_autograd.programs import complex_step


def derivative(program, inputs, tangents):
    case = Case({"program": program, "inputs": inputs}, torch.float64, seed=0)
    return complex_step(case, tangents).tolist()


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_loop_over_zeros_doubles_nothing(zero):
    """Its step is no magnitude to be doubled until a bound is reached."""
    x = torch.tensor([zero, zero], dtype=torch.float64)
    assert derivative((("double_until", (0,), (100.0,)),), [x], [torch.tensor([1.0, 3.0])]) == [1.0, 3.0]


def test_loops_and_branches_go_by_the_real_part():
    x = torch.tensor([25.0, -0.0], dtype=torch.float64)
    assert derivative((("double_until", (0,), (100.0,)),), [x], [torch.tensor([1.0, 3.0])]) == [4.0, 12.0]
    program = (("where", (0, 0, 1), ()),)
    assert derivative(program, [x, x], [torch.tensor([1.0, 3.0]), torch.tensor([5.0, 7.0])]) == [1.0, 7.0]


def test_products_and_sines():
    x = torch.tensor([0.5, 2.0], dtype=torch.float64)
    found = derivative((("mul", (0, 0), ()), ("sin", (1,), ())), [x], [torch.ones(2)])
    assert found == pytest.approx((2 * x * torch.cos(x * x)).tolist(), rel=1e-14)
