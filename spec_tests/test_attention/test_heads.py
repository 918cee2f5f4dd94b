"""Several heads."""

import torch

from lawbook.fixtures.cases import attention as domains
from lawbook.fixtures.published import attention as published
from lawbook.reference import attention
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_attention.fused import divided_last
from lawbook.spec_tests.test_attention.laws import MaskLaws, PairLaws, ramp, seen

VIEW = {"no_aliasing": "a rearrangement may be a view of its argument where no number has to move"}


def weights(q, k, v, inner, outer, result):
    """Fixed parameters of these sizes."""
    return dict(W_q=ramp(q, inner), W_k=ramp(k, inner), W_v=ramp(v, outer), W_o=ramp(outer, result))


class TestSplitHeads(Spec):
    component = attention.split_heads
    cases = domains.split_heads
    differentiable = ("x",)
    declines = {**VIEW, "extremes_stay_finite": "no number is changed"}
    edges = (
        dict(x=ramp(1, 1, 1), heads=1),
        dict(x=ramp(0, 2, 4), heads=2),
        dict(x=ramp(2, 0, 4), heads=2),
        dict(x=ramp(2, 3, 4), heads=4),
    )
    invalid = (
        Invalid(ValueError, "features that heads do not divide", x=ramp(2, 3, 4), heads=3),
        Invalid(ValueError, "no head", x=ramp(2, 3, 4), heads=0),
        Invalid(ValueError, "a matrix", x=ramp(2, 3), heads=1),
    )

    def test_each_head_is_a_slice(self, impl, case):
        """Row b · heads + h holds slice h of sample b."""
        found = impl(case)
        size = case.x.shape[2] // case.heads
        slices = [case.x[b, :, h * size : (h + 1) * size] for b in range(len(case.x)) for h in range(case.heads)]
        return found, torch.stack(slices)

    def test_merging_undoes_it(self, impl, case):
        """Merged again, the heads are what was split."""
        return attention.merge_heads(impl(case), case.heads), case.x

    def test_one_head_is_the_whole(self, impl, case):
        """A single head changes nothing."""
        return impl(case, heads=1), case.x

    def test_published_shape_of_note_004(self, impl):
        """(2, 4, 100) in five heads is (10, 4, 20)."""
        batch, steps = 2, 4
        hidden, heads = published.NOTE_004_HIDDEN, published.NOTE_004_HEADS
        shape = tuple(impl.call(x=ramp(batch, steps, hidden), heads=heads).shape)
        require(shape == (batch * heads, steps, hidden // heads), f"gave shape {shape}, expected (10, 4, 20)")


class TestMergeHeads(Spec):
    component = attention.merge_heads
    cases = domains.merge_heads
    differentiable = ("x",)
    declines = {**VIEW, "extremes_stay_finite": "no number is changed"}
    edges = (
        dict(x=ramp(1, 1, 1), heads=1),
        dict(x=ramp(0, 2, 4), heads=2),
        dict(x=ramp(2, 0, 4), heads=2),
    )
    invalid = (
        Invalid(ValueError, "rows that heads do not divide", x=ramp(4, 3, 2), heads=3),
        Invalid(ValueError, "no head", x=ramp(4, 3, 2), heads=0),
        Invalid(ValueError, "a matrix", x=ramp(2, 3), heads=1),
    )

    def test_heads_stand_side_by_side(self, impl, case):
        """Sample b is its rows b · heads … next to each other on the last axis."""
        samples = case.x.split(case.heads)
        return impl(case), torch.stack([torch.cat(list(rows), dim=1) for rows in samples])

    def test_splitting_undoes_it(self, impl, case):
        """Split again, the sample is the heads that were merged."""
        return attention.split_heads(impl(case), case.heads), case.x

    def test_one_head_is_the_whole(self, impl, case):
        """A single head changes nothing."""
        return impl(case, heads=1), case.x


class TestMultiHeadAttention(PairLaws, MaskLaws, Spec):
    component = attention.multi_head_attention
    orders = (divided_last,)
    cases = domains.multi_head_attention
    differentiable = ("q", "k", "v", "params")
    twice = True
    extremes = domains.multi_head_attention_extremes
    _good = dict(
        q=ramp(2, 3, 4),
        k=ramp(2, 5, 3, value=1.0),
        v=ramp(2, 5, 6),
        valid_lens=torch.tensor([2, 4]),
        params=weights(4, 3, 6, 4, 4, 4),
        heads=2,
    )
    edges = (
        dict(
            q=ramp(1, 1, 1),
            k=ramp(1, 1, 1),
            v=ramp(1, 1, 1),
            valid_lens=None,
            params=weights(1, 1, 1, 1, 1, 1),
            heads=1,
        ),
        {**_good, "q": ramp(0, 3, 4), "k": ramp(0, 5, 3), "v": ramp(0, 5, 6), "valid_lens": None},
        {**_good, "q": ramp(2, 0, 4)},
        {**_good, "heads": 4},
        {**_good, "params": weights(4, 3, 6, 16, 24, 5), "heads": 8},
    )
    invalid = (
        Invalid(ValueError, "sizes that heads do not divide", **{**_good, "heads": 3}),
        Invalid(ValueError, "no head", **{**_good, "heads": 0}),
        Invalid(ValueError, "queries wider than W_q", **{**_good, "q": ramp(2, 3, 5)}),
        Invalid(ValueError, "fewer values than keys", **{**_good, "v": ramp(2, 4, 6)}),
        Invalid(ValueError, "lengths for another batch", **{**_good, "valid_lens": torch.tensor([1, 2, 3])}),
        Invalid(
            ValueError,
            "W_k and W_q of different widths",
            **{**_good, "params": {**weights(4, 3, 6, 4, 4, 4), "W_k": ramp(3, 6)}},
        ),
        Invalid(ValueError, "a missing weight", **{**_good, "params": {"W_q": ramp(4, 4), "W_k": ramp(3, 4)}}),
    )
    prerequisites = ("dot_product_attention", "split_heads", "merge_heads")

    def batch(self, case):
        return Batch(0, q=0, k=0, v=0, **({} if case.valid_lens is None else {"valid_lens": 0}))

    def test_one_head_is_dot_product_attention(self, impl, case):
        """With one head it is attention of the projections, projected."""
        params = case.params
        q, k, v = (case[x] @ params[name] for x, name in (("q", "W_q"), ("k", "W_k"), ("v", "W_v")))
        found = attention.dot_product_attention(q, k, v, case.valid_lens, case.causal, case.alignment)
        return impl(case, heads=1), found @ params["W_o"]

    def test_heads_are_concatenated_slices(self, impl, case):
        """Each head alone, with its slice of every weight, gives its share; the shares add up."""
        total = 0
        for head in range(case.heads):
            params = {}
            for name, weight in case.params.items():
                axis = 0 if name == "W_o" else 1
                size = weight.shape[axis] // case.heads
                params[name] = weight.narrow(axis, head * size, size)
            total = total + impl(case, params=params, heads=1)
        return impl(case), total

    def test_heads_have_no_order(self, impl, case):
        """Heads may change places, each with its slices of the weights."""
        order = torch.randperm(case.heads, generator=case.generator(6))
        params = {}
        for name, weight in case.params.items():
            axis = 0 if name == "W_o" else 1
            parts = weight.chunk(case.heads, axis)
            params[name] = torch.cat([parts[k] for k in order], axis)
        return impl(case, params=params), impl(case)

    def test_one_key_returns_its_projected_value(self, impl, case):
        """With a single key every query gets that key's value, projected twice."""
        case = self.unmasked(case)
        v = case.v[:, :1]
        found = impl(case, k=case.k[:, :1], v=v)
        return found, (v @ case.params["W_v"] @ case.params["W_o"]).expand_as(found)

    def test_published_sizes_of_note_002(self, impl):
        """Inputs (8, 200, 64): 8 and 16 heads take the same parameters and give the same shape."""
        shape = published.NOTE_002_INPUTS
        x, params = ramp(*shape).float(), {name: w.float() for name, w in weights(*(shape[2],) * 6).items()}
        for heads in published.NOTE_002_HEADS:
            found = tuple(impl.call(q=x, k=x, v=x, valid_lens=None, params=params, heads=heads).shape)
            require(found == shape, f"{heads} heads give shape {found}, expected {shape}")


class TestSelfAttention(Spec):
    component = attention.self_attention
    orders = (divided_last,)
    cases = domains.self_attention
    differentiable = ("x", "params")
    twice = True
    extremes = domains.self_attention_extremes
    _good = dict(x=ramp(2, 3, 4), params=weights(4, 4, 4, 4, 4, 4), heads=2)
    edges = (
        dict(x=ramp(1, 1, 1), params=weights(1, 1, 1, 1, 1, 1), heads=1),
        {**_good, "x": ramp(0, 3, 4)},
        {**_good, "x": ramp(2, 1, 4), "valid_lens": torch.tensor([1, 1]), "causal": True},
        {**_good, "x": ramp(3, 3, 4), "valid_lens": torch.tensor([1, 3, 2])},
    )
    invalid = (
        Invalid(ValueError, "sizes that heads do not divide", **{**_good, "heads": 3}),
        Invalid(ValueError, "tokens wider than the weights", **{**_good, "x": ramp(2, 3, 5)}),
        Invalid(ValueError, "lengths for another batch", **_good, valid_lens=torch.tensor([1, 2, 3])),
        Invalid(ValueError, "a missing weight", **{**_good, "params": {"W_q": ramp(4, 4), "W_k": ramp(4, 4)}}),
    )
    prerequisites = ("multi_head_attention",)

    def batch(self, case):
        return Batch(0, x=0, **({} if case.valid_lens is None else {"valid_lens": 0}))

    def test_permuted_tokens_give_permuted_results(self, impl, case):
        """Without a mask nothing tells positions apart."""
        case = case.but(valid_lens=None, causal=False)
        order = torch.randperm(case.x.shape[1], generator=case.generator(5))
        return impl(case, x=case.x[:, order]), impl(case)[:, order]

    def test_tokens_are_queries_keys_and_values(self, impl, case):
        """It is multi-head attention with the tokens in all three places."""
        x = case.x
        return impl(case), attention.multi_head_attention(
            x, x, x, case.valid_lens, case.params, case.heads, case.causal
        )

    def test_single_token_is_projected(self, impl, case):
        """A token alone looks at itself: the result is its value, projected twice."""
        x = case.x[:, :1]
        return impl(case, x=x, valid_lens=None), x @ case.params["W_v"] @ case.params["W_o"]

    def test_future_has_no_influence(self, impl, case):
        """Causal: other tokens after position t change no result up to t, and get no gradient from there."""
        steps = case.x.shape[1]
        at = case.seed % steps
        case = case.but(causal=True)
        later = (torch.arange(steps) > at)[:, None]
        x = torch.where(later, case.noise(case.x.shape, 1), case.x)
        result = impl(case)
        cotangent = torch.where(later, 0, case.noise(result.shape, 2))
        grads = impl.vjp(case, cotangent, ("x",))[1]
        require((grads["x"][:, at + 1 :] == 0).all(), f"tokens after {at} have a gradient", got=grads["x"])
        return impl(case, x=x)[:, : at + 1], result[:, : at + 1]

    def test_padding_has_no_influence(self, impl, case):
        """Other tokens, or nan, beyond the valid length change nothing within it."""
        case, inside = self.padded(case)
        if case is None:
            return skip_case
        other = 100 * case.noise(case.x.shape, 1)
        found = impl(case, x=torch.where(inside, case.x, other))
        return torch.where(inside, found, 0), torch.where(inside, impl(case), 0)

    def test_nan_in_the_padding_stays_there(self, impl, case):
        """A nan beyond the valid length shows in no result within it."""
        case, inside = self.padded(case)
        if case is None:
            return skip_case
        found = impl(case, x=torch.where(inside, case.x, torch.nan))
        require(not found[inside[..., 0]].isnan().any(), "results within the length hold nan", got=found)

    def test_sample_of_length_zero_gets_zeros(self, impl, case):
        """Where no token may be seen the result is zeros, neither nan nor a mean."""
        lens = torch.zeros(len(case.x), dtype=torch.int64)
        lens[1:] = case.x.shape[1]
        found = impl(case, valid_lens=lens)
        require((found[0] == 0).all(), "a sample of length 0 does not get zeros", got=found)
        require(not found.isnan().any(), "samples beside one of length 0 are nan", got=found)

    def padded(self, case):
        """The case with one length a sample, below the number of tokens, and where its tokens lie; None for one token."""
        batch, steps, _ = case.x.shape
        if steps < 2:
            return None, None
        lens = torch.randint(1, steps, (batch,), generator=case.generator(4))
        return case.but(valid_lens=lens), seen(lens, batch, 1, steps)[:, 0, :, None]

    def test_published_example_of_note_004(self, impl):
        """100 hidden units in 5 heads keep the shape (2, 4, 100)."""
        hidden, heads = published.NOTE_004_HIDDEN, published.NOTE_004_HEADS
        params = {name: w.float() for name, w in weights(*(hidden,) * 6).items()}
        found = impl.call(x=ramp(2, 4, hidden).float(), params=params, heads=heads, valid_lens=torch.tensor([3, 2]))
        require(tuple(found.shape) == (2, 4, hidden), f"gave shape {tuple(found.shape)}, expected (2, 4, {hidden})")
