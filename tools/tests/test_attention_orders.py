"""Attention in the order of fused kernels: the same function, other roundings."""

import torch

from lawbook.reference.attention import dot_product_attention
from lawbook.spec_tests.test_attention.fused import divided_last


def inputs(dtype):
    """141 equal keys, whose weights are equal: nothing is left of the queries' gradient."""
    noise = torch.Generator().manual_seed(0)
    queries, values = (torch.randn(1, n, 3, generator=noise, dtype=torch.float64) for n in (3, 141))
    keys = torch.tensor([0.3, -0.2, 0.7], dtype=torch.float64).expand(1, 141, 3)
    return [x.to(dtype).requires_grad_() for x in (queries, keys, values)]


def slopes(dtype, **options):
    given = inputs(dtype)
    result = dot_product_attention(*given, **options)
    return result.detach(), torch.autograd.grad(result.square().sum(), given)


def test_results_and_gradients_are_the_same_in_exact_arithmetic():
    for options in ({}, {"valid_lens": torch.tensor([100])}, {"causal": True, "alignment": "lower_right"}):
        value, grads = slopes(torch.float64, **options)
        with divided_last():
            other, others = slopes(torch.float64, **options)
        torch.testing.assert_close(other, value)
        torch.testing.assert_close(others, grads)


def test_a_query_without_keys_gives_zeros():
    q, k, v = inputs(torch.float64)
    with divided_last():
        assert not dot_product_attention(q, k, v, torch.tensor([0])).any()
        assert dot_product_attention(q, k[:, :0], v[:, :0]).shape == (1, 3, 3)


def test_other_digits_are_lost_where_the_terms_cancel():
    apart = []
    for dtype in (torch.float64, torch.float32):
        grad = slopes(dtype)[1][0]
        with divided_last():
            apart.append(float((slopes(dtype)[1][0] - grad).abs().max()))
    assert apart[0] < 1e-15
    assert apart[1] > 1e-9
