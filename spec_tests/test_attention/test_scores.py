"""Attention by three scores, and softmax under a mask."""

import math

import torch

from lawbook.fixtures.cases import attention as domains
from lawbook.reference import attention
from lawbook.reference.losses import softmax
from lawbook.spec_tests.crowds import waves
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_attention.fused import divided_last
from lawbook.spec_tests.test_attention.laws import HullLaws, MaskLaws, ramp, seen

QUERIES, KEYS, VALUES = ramp(2, 3, 4), ramp(2, 5, 4, value=1.0), ramp(2, 5, 6)


class TestMaskedSoftmax(Spec):
    component = attention.masked_softmax
    cases = domains.masked_softmax
    differentiable = ("x",)
    twice = True
    extremes = domains.masked_softmax_extremes
    edges = (
        dict(x=ramp(1, 1, 1), valid_lens=None),
        dict(x=ramp(0, 2, 3), valid_lens=torch.zeros(0, dtype=torch.int64)),
        dict(x=ramp(2, 0, 3), valid_lens=torch.tensor([1, 2])),
        dict(x=ramp(2, 3, 0), valid_lens=None),
        dict(x=ramp(2, 1, 1), valid_lens=torch.tensor([[1], [1]])),
    )
    invalid = (
        Invalid(ValueError, "lengths for another batch", x=ramp(2, 3, 4), valid_lens=torch.tensor([1, 2, 3])),
        Invalid(ValueError, "lengths for other queries", x=ramp(2, 3, 4), valid_lens=torch.ones(2, 4).long()),
        Invalid(ValueError, "lengths for each key", x=ramp(2, 3, 4), valid_lens=torch.ones(2, 3, 5).long()),
    )
    declines = {
        "nan_not_hidden": "whether a masked weight beside a nan is 0 or nan too is left open; an own law judges the rest"
    }
    prerequisites = ("softmax",)

    def batch(self, case):
        return Batch(0, x=0, **({} if case.valid_lens is None else {"valid_lens": 0}))

    def lens(self, case):
        """The lengths (B, Q), one key short of all where there is no mask."""
        batch, queries, keys = case.x.shape
        if case.valid_lens is None:
            return torch.full((batch, queries), max(keys - 1, 1))
        return case.valid_lens.reshape(batch, -1).expand(batch, queries)

    def test_masked_weights_are_exactly_zero(self, impl, case):
        """Beyond its valid length a row has no weight at all."""
        lens = self.lens(case)
        found = impl(case, valid_lens=lens)
        hidden = found[~seen(lens, *case.x.shape)]
        require((hidden == 0).all(), "a masked key has a weight", got=found)

    def test_rows_sum_to_one(self, impl, case):
        """The weights of a row add up to one, masked or not."""
        total = impl(case).sum(-1)
        return total, torch.ones_like(total)

    def test_what_is_left_is_a_plain_softmax(self, impl, case):
        """A row of length n is the softmax of its first n scores."""
        lens = self.lens(case)
        at = case.seed % case.x.shape[1]
        found = impl(case, valid_lens=lens)
        equations = []
        for row, n in enumerate(lens[:, at].tolist()):
            n = min(n, case.x.shape[2])
            equations.append((found[row, at, :n], softmax(case.x[row, at, :n], -1)))
        return equations

    def test_masked_scores_have_no_influence(self, impl, case):
        """Whatever stands behind the mask, infinity and nan included, weights and gradients stay the same."""
        lens = self.lens(case)
        mask = seen(lens, *case.x.shape)
        other = (torch.inf, torch.nan, -torch.inf, 1e30)[case.seed % 4]
        changed = impl.vjp(case, None, ("x",), x=torch.where(mask, case.x, other), valid_lens=lens)
        return changed, impl.vjp(case, None, ("x",), valid_lens=lens)

    def test_nan_that_counts_shows(self, impl, case):
        """A nan within the valid length makes the weights that count nan, in its own row and in no other."""
        lens = self.lens(case)
        x = case.x.clone()
        x[0, 0, 0] = torch.nan
        found = impl(case, x=x, valid_lens=lens)
        require(found[0, 0, : lens[0, 0]].isnan().all(), "a nan among the scores is hidden", got=found)
        rows = found.isnan().any(-1)
        rows[0, 0] = False
        require(not rows.any(), "a nan leaks into other rows", got=found)

    def test_scores_may_lie_below_any_fill_value(self, impl, case):
        """Scores of −10³⁰ share the weights; the mask is below every score."""
        lens = self.lens(case)
        mask = seen(lens, *case.x.shape).to(case.dtype)
        found = impl(case, x=torch.full_like(case.x, -1e30), valid_lens=lens)
        return found, mask / mask.sum(-1, keepdim=True)

    def test_row_of_length_zero_is_zero(self, impl, case):
        """A row without keys is all zeros, neither uniform nor nan, and its gradient is 0."""
        lens = self.lens(case).clone()
        # Below 0 is no key either.
        lens[0, 0] = -(case.seed % 2)
        weights, grads = impl.vjp(case, None, ("x",), valid_lens=lens)
        require((weights[0, 0] == 0).all(), "a row of length 0 is not zero", got=weights)
        require((grads["x"][0, 0] == 0).all(), "a row of length 0 has a gradient", got=grads["x"])
        require(not grads["x"].isnan().any(), "a row of length 0 spoils other gradients", got=grads["x"])
        for dtype in self.low_precisions:
            if not self.lacks_dtype(impl, dtype):
                low = impl(case, x=case.x.to(dtype), valid_lens=lens)
                require((low[0, 0] == 0).all(), f"in {dtype} a row of length 0 is not zero", got=low)

    def test_one_length_a_sample_is_that_length_for_each_query(self, impl, case):
        """Lengths (B,) give what they give when repeated for every query."""
        lens = self.lens(case)[:, 0]
        return impl(case, valid_lens=lens[:, None].expand(-1, case.x.shape[1])), impl(case, valid_lens=lens)

    def test_as_many_queries_as_samples_do_not_turn_lengths(self, impl, case):
        """Where there are as many queries as samples, lengths (B,) are still those of the samples."""
        batch, queries, keys = case.x.shape
        x, lens = case.x[:, torch.arange(batch) % queries], 1 + torch.arange(batch) % keys
        return impl(case, x=x, valid_lens=lens), impl(case, x=x, valid_lens=lens[:, None].expand(-1, batch))

    def test_lengths_of_all_keys_and_more_mask_nothing(self, impl, case):
        """Lengths as large as the number of keys, or larger, are no mask."""
        lens = case.x.shape[2] + torch.arange(len(case.x))
        return impl(case, valid_lens=lens), impl(case, valid_lens=None)


class TestGaussianAttention(HullLaws, Spec):
    component = attention.gaussian_attention
    orders = (divided_last,)
    cases = domains.gaussian_attention
    differentiable = ("queries", "keys", "values", "sigma")
    twice = True
    extremes = domains.gaussian_attention_extremes
    names = ("queries", "keys", "values")
    edges = (
        dict(queries=ramp(1, 1, 1), keys=ramp(1, 1, 1), values=ramp(1, 1, 1)),
        dict(queries=ramp(0, 2, 1), keys=ramp(0, 3, 1), values=ramp(0, 3, 2), sigma=2.0),
        dict(queries=ramp(2, 0, 3), keys=ramp(2, 3, 3), values=ramp(2, 3, 2), sigma=0.5),
    )
    invalid = (
        Invalid(ValueError, "keys of another size", queries=QUERIES, keys=ramp(2, 5, 3), values=VALUES),
        Invalid(ValueError, "fewer values than keys", queries=QUERIES, keys=KEYS, values=ramp(2, 4, 6)),
        Invalid(ValueError, "keys for another batch", queries=QUERIES, keys=ramp(3, 5, 4), values=ramp(3, 5, 6)),
    )

    def unmasked(self, case):
        return case

    def batch(self, case):
        return Batch(0, queries=0, keys=0, values=0)

    def test_narrow_kernel_returns_the_nearest_value(self, impl, case):
        """With sigma a hundredth of the distances, each query gets the value of its nearest key."""
        keys, queries = case.keys.clone(), case.queries.clone()
        keys[..., 0] = torch.arange(keys.shape[1])
        nearest = torch.randint(0, keys.shape[1], queries.shape[1:2], generator=case.generator(3))
        keys[..., 1:] = queries[..., 1:] = 0
        queries[..., 0] = nearest + 0.25
        return impl(case, keys=keys, queries=queries, sigma=0.01), case["values"][:, nearest]

    def test_wide_kernel_returns_the_mean(self, impl, case):
        """With sigma far beyond all distances, each query gets the mean of the values."""
        # As many keys as a power of two, and values with room for their sum: the mean is exact in any order.
        count = 1 << case["keys"].shape[1].bit_length() - 1
        values = (case["values"][:, :count] * 2**10).round() / 2**10
        found = impl(case, keys=case["keys"][:, :count], values=values, sigma=1e15)
        return found, values.mean(1, keepdim=True).expand_as(found)

    def test_only_differences_count(self, impl, case):
        """Queries and keys moved alike, far from zero, change nothing."""
        return impl(case, queries=case.queries + 4096, keys=case["keys"] + 4096), impl(case)

    def test_the_unit_of_length_does_not_matter(self, impl, case):
        """Queries, keys and sigma twice as large change nothing."""
        return impl(case, queries=2 * case.queries, keys=2 * case["keys"], sigma=2 * case.sigma), impl(case)

    def test_weights_of_known_distances(self, impl, case):
        """A key at the query and one at distance sigma share the weight as 1 to e^(−1/2)."""
        queries = torch.zeros_like(case.queries)
        keys = torch.zeros_like(case.queries[:, :1]).repeat(1, 2, 1)
        keys[:, 1, 0] = case.sigma
        values = torch.eye(2, dtype=case.dtype).repeat(len(queries), 1, 1)
        share = 1 / (1 + math.exp(-0.5))
        expected = torch.tensor([share, 1 - share], dtype=case.dtype).expand(*queries.shape[:2], 2)
        return impl(case, queries=queries, keys=keys, values=values), expected


class TestAdditiveAttention(HullLaws, MaskLaws, Spec):
    component = attention.additive_attention
    orders = (divided_last,)
    cases = domains.additive_attention
    differentiable = ("q", "k", "v", "params")
    twice = True
    extremes = domains.additive_attention_extremes
    _params = dict(W_q=ramp(4, 3), W_k=ramp(2, 3), w_v=ramp(3))
    _good = dict(q=QUERIES, k=ramp(2, 5, 2), v=VALUES, valid_lens=torch.tensor([2, 4]), params=_params)
    edges = (
        dict(
            q=ramp(1, 1, 1),
            k=ramp(1, 1, 1),
            v=ramp(1, 1, 1),
            valid_lens=None,
            params=dict(W_q=ramp(1, 1), W_k=ramp(1, 1), w_v=ramp(1)),
        ),
        {**_good, "q": ramp(0, 3, 4), "k": ramp(0, 5, 2), "v": ramp(0, 5, 6), "valid_lens": None},
        {**_good, "q": ramp(2, 0, 4)},
        {**_good, "q": waves(2, 3, 20), "params": dict(W_q=ramp(20, 36), W_k=ramp(2, 36), w_v=ramp(36))},
    )
    invalid = (
        Invalid(ValueError, "queries wider than W_q", **{**_good, "q": ramp(2, 3, 5)}),
        Invalid(ValueError, "keys wider than W_k", **{**_good, "k": ramp(2, 5, 4)}),
        Invalid(ValueError, "fewer values than keys", **{**_good, "v": ramp(2, 4, 6)}),
        Invalid(ValueError, "hidden sizes that differ", **{**_good, "params": {**_params, "W_k": ramp(2, 5)}}),
        Invalid(ValueError, "lengths for another batch", **{**_good, "valid_lens": torch.tensor([1, 2, 3])}),
        Invalid(ValueError, "a missing weight", **{**_good, "params": {"W_q": ramp(4, 3), "W_k": ramp(2, 3)}}),
    )
    prerequisites = ("masked_softmax",)

    def batch(self, case):
        return Batch(0, q=0, k=0, v=0, **({} if case.valid_lens is None else {"valid_lens": 0}))

    def test_no_score_no_preference(self, impl, case):
        """With a w_v of zeros all keys that count weigh the same."""
        params = {**case.params, "w_v": torch.zeros_like(case.params["w_v"])}
        mask = seen(case.valid_lens, case.q.shape[0], case.q.shape[1], case.k.shape[1]).to(case.dtype)
        return impl(case, params=params), mask / mask.sum(-1, keepdim=True) @ case.v

    def test_hidden_layer_is_odd(self, impl, case):
        """Weights of the opposite sign, all three of them, change nothing: there are no biases and tanh is odd."""
        return impl(case, params={name: -weight for name, weight in case.params.items()}), impl(case)

    def test_hidden_units_have_no_order(self, impl, case):
        """Hidden units may change places, each with its weights."""
        order = torch.randperm(len(case.params["w_v"]), generator=case.generator(6))
        return impl(case, params={name: weight[..., order] for name, weight in case.params.items()}), impl(case)

    def test_far_queries_meet_all_keys_alike(self, impl, case):
        """Where queries saturate every hidden unit, the keys no longer matter and the values are averaged."""
        width = len(case.params["w_v"])
        params = {**case.params, "W_q": torch.full((case.q.shape[2], width), 1000.0, dtype=case.dtype)}
        k = case.k.clamp(-1, 1)
        mask = seen(case.valid_lens, case.q.shape[0], case.q.shape[1], k.shape[1]).to(case.dtype)
        found = impl(case, q=torch.ones_like(case.q), k=k, params=params)
        return found, mask / mask.sum(-1, keepdim=True) @ case.v


class TestDotProductAttention(HullLaws, MaskLaws, Spec):
    component = attention.dot_product_attention
    orders = (divided_last,)
    low_gradients = True
    cases = domains.dot_product_attention
    differentiable = ("q", "k", "v")
    twice = True
    extremes = domains.dot_product_attention_extremes
    _good = dict(q=QUERIES, k=KEYS, v=VALUES)
    edges = (
        dict(q=ramp(1, 1, 1), k=ramp(1, 1, 1), v=ramp(1, 1, 1)),
        dict(q=ramp(0, 3, 4), k=ramp(0, 5, 4), v=ramp(0, 5, 6), valid_lens=None, causal=True),
        dict(q=ramp(2, 0, 4), k=KEYS, v=VALUES, valid_lens=torch.tensor([1, 2])),
        dict(q=QUERIES, k=ramp(2, 0, 4), v=ramp(2, 0, 6)),
        dict(q=ramp(2, 1, 4), k=KEYS, v=VALUES, causal=True),
        dict(q=ramp(2, 1, 4), k=KEYS, v=VALUES, causal=True, alignment="lower_right"),
        dict(q=waves(1, 2, 1), k=waves(1, 3, 1), v=waves(1, 3, 2)),
        dict(q=waves(2, 3, 40), k=waves(2, 7, 40), v=waves(2, 7, 20)),
    )
    invalid = (
        Invalid(ValueError, "keys of another size than the queries", **{**_good, "k": ramp(2, 5, 3)}),
        Invalid(ValueError, "fewer values than keys", **{**_good, "v": ramp(2, 4, 6)}),
        Invalid(ValueError, "lengths for another batch", **_good, valid_lens=torch.tensor([1, 2, 3])),
        Invalid(ValueError, "lengths for other queries", **_good, valid_lens=torch.ones(2, 4).long()),
        Invalid(ValueError, "an unknown alignment", **_good, causal=True, alignment="centre"),
        Invalid(TypeError, "values of whole numbers", **{**_good, "v": torch.ones(2, 5, 6).long()}),
        Invalid(ValueError, "keys and values for another batch", **{**_good, "k": ramp(3, 5, 4), "v": ramp(3, 5, 6)}),
    )
    prerequisites = ("masked_softmax",)

    def batch(self, case):
        return Batch(0, q=0, k=0, v=0, **({} if case.valid_lens is None else {"valid_lens": 0}))

    def test_scores_are_divided_by_the_root_of_the_size(self, impl, case):
        """Every feature twice, in queries and keys, is queries √2 times as large."""
        twice = impl(case, q=torch.cat([case.q, case.q], 2), k=torch.cat([case.k, case.k], 2))
        return twice, impl(case, q=case.q * math.sqrt(2))

    def test_random_scores_have_variance_one(self, impl):
        """Scores of 20,000 queries and keys of 64 normal features have variance 1."""
        generator = torch.Generator().manual_seed(11)
        q, k = (torch.randn(20_000, count, 64, generator=generator) for count in (1, 2))
        weights = impl.call(q=q, k=k, v=torch.eye(2).expand(20_000, 2, 2)).double()
        # The difference of two scores has twice the variance.
        found = float((weights[:, 0, 0].log() - weights[:, 0, 1].log()).square().mean() / 2)
        require(0.96 < found < 1.04, f"the scores' variance is {found:.3f}, expected 1")

    def test_half_precision_scores_do_not_overflow(self, impl, case):
        """In float16, a product of 102,400 before its division by 8 is no infinity: the matching key still wins."""
        q = torch.full((1, 1, 64), 40.0, dtype=torch.float16)
        k = torch.cat([torch.zeros_like(q), q, -q], 1)
        v = torch.tensor([[[1.0], [2.0], [4.0]]], dtype=torch.float16)
        found = impl(case, q=q, k=k, v=v, valid_lens=None, causal=False)
        require(found.item() == 2, f"gave {found.item()}, expected 2, the value of the matching key")

    def test_future_has_no_influence(self, impl, case):
        """Causal: other keys and values after position t change no result up to t."""
        keys = case.k.shape[1]
        at = case.seed % keys
        case = case.but(causal=True, alignment="upper_left")
        later = (torch.arange(keys) > at)[:, None]
        k = torch.where(later, case.noise(case.k.shape, 1), case.k)
        v = torch.where(later, 100 * case.noise(case.v.shape, 2), case.v)
        return impl(case, k=k, v=v)[:, : at + 1], impl(case)[:, : at + 1]

    def test_upper_left_queries_see_keys_up_to_their_own_number(self, impl, case):
        """Causal from the upper left: query i gets what it gets, alone and without a mask, from the keys 0..i."""
        case = self.unmasked(case)
        at = case.seed % case.q.shape[1]
        alone = impl(case, q=case.q[:, at : at + 1], k=case.k[:, : at + 1], v=case.v[:, : at + 1])
        return impl(case, causal=True, alignment="upper_left")[:, at : at + 1], alone

    def test_lower_right_continues_from_a_cache(self, impl, case):
        """Causal from the lower right: the last queries alone, with all keys, get what they get among all queries."""
        keys = case.k.shape[1]
        case = self.unmasked(case).but(causal=True)
        q = case.noise((len(case.q), keys, case.q.shape[2]), 3)
        start = case.seed % keys
        part = impl(case, q=q[:, start:], alignment="lower_right")
        return part, impl(case, q=q, alignment="upper_left")[:, start:]

    def test_queries_before_the_first_key_get_zeros(self, impl, case):
        """Causal from the lower right with more queries than keys: the first queries see nothing and get zeros."""
        k, v = case.k[:, :2], case.v[:, :2]
        q = case.noise((len(case.q), 1 + k.shape[1], case.q.shape[2]), 3)
        given = dict(q=q, k=k, v=v, valid_lens=None, causal=True, alignment="lower_right")
        result, grads = impl.vjp(case, None, ("q", "k", "v"), **given)
        require((result[:, 0] == 0).all(), "a query before the first key does not get zeros", got=result)
        require((grads["q"][:, 0] == 0).all(), "a query before the first key has a gradient", got=grads["q"])
        for name, grad in grads.items():
            require(not grad.isnan().any(), f"the gradient for {name} is nan", got=grad)

    def test_shift_of_all_keys_changes_nothing(self, impl, case):
        """One vector added to all keys adds the same to all scores of a query, which softmax does not see."""
        if case.q.abs().max() > 100 or case.k.abs().max() > 100:
            return skip_case
        return impl(case, k=case.k + case.noise((case.k.shape[2],), 4)), impl(case)
