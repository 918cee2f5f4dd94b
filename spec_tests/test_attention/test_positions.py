"""Positions, the causal mask, and what attention costs."""

import torch

from lawbook.fixtures.cases import attention as domains
from lawbook.fixtures.published import attention as published
from lawbook.reference import attention
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case

FROM_NOTHING = {
    "memory_layout": "no argument is a tensor",
    "low_precision": "no argument is a tensor that would say the dtype",
    "nan_not_hidden": "no argument is a tensor that could hold nan",
    "extremes_stay_finite": "the cases hold the largest arguments",
    "accelerator_agrees": "no argument is a tensor that would say where to compute",
}


class TestCausalMask(Spec):
    component = attention.causal_mask
    cases = domains.causal_mask
    edges = (dict(T=0), dict(T=1))
    invalid = (
        Invalid(ValueError, "a negative number of tokens", T=-1),
        Invalid(TypeError, "half a token", T=2.5),
    )
    declines = FROM_NOTHING

    def test_future_has_no_influence(self, impl, case):
        """With the mask, changing a later value changes no result before it."""
        mask, steps = impl(case), case.T
        require(mask.dtype == torch.bool, f"the mask is {mask.dtype}, expected bool")
        scores, values = case.noise((steps, steps), 1), case.noise((steps, 2), 2)
        at = case.seed % steps
        other = values.clone()
        other[at:] += 7
        weights = torch.where(mask, scores.exp(), 0)
        weights = weights / weights.sum(1, keepdim=True)
        before, after = weights @ values, weights @ other
        require(torch.equal(before[:at], after[:at]), f"token {at} has influence on results before it", got=mask)

    def test_query_i_sees_i_plus_one_keys(self, impl, case):
        """Each token sees itself and all before: 1, 2, 3, … keys."""
        mask = impl(case)
        found = mask.sum(1).tolist()
        require(found == list(range(1, case.T + 1)), f"queries see {found} keys", got=mask)
        require(mask.diagonal().all(), "a token does not see itself", got=mask)

    def test_more_tokens_keep_the_corner(self, impl, case):
        """The mask of more tokens begins with that of fewer."""
        require(torch.equal(impl(case, T=case.T + 2)[: case.T, : case.T], impl(case)), "the corner is another")


class OfItsDtype(Spec):
    """For results of the dtype asked for, whatever the working one: they are judged by that one's rounding."""

    def test_agrees_with_reference(self, impl, case):
        """The result is the reference's, within what rounding to the dtype asked for may do."""
        return super().test_agrees_with_reference(impl, case.to(case["dtype"]))

    def test_repeated_calls_agree(self, impl, case):
        """The same input gives the same result again, also after another input in between."""
        return super().test_repeated_calls_agree(impl, case.to(case["dtype"]))

    def test_edge_sizes(self, impl):
        """The smallest sizes and the defaults give what the reference gives."""
        self.dtype = torch.float32
        return super().test_edge_sizes(impl)


def _own(case):
    """The case with results in the working dtype."""
    return case.but(dtype=case.dtype)


class TestPositionalEncoding(OfItsDtype, Spec):
    component = attention.positional_encoding
    cases = domains.positional_encoding
    edges = (dict(T=0, D=4), dict(T=1, D=1), dict(T=3, D=1), dict(T=2, D=3))
    invalid = (
        Invalid(ValueError, "a negative number of positions", T=-1, D=4),
        Invalid(ValueError, "no column", T=3, D=0),
        Invalid(TypeError, "whole numbers for sines", T=3, D=4, dtype=torch.int64),
        Invalid(TypeError, "half a column", T=3, D=2.5),
    )
    declines = FROM_NOTHING

    def test_first_position_is_zero_one_zero_one(self, impl, case):
        """At position 0 even columns are sin 0 and odd ones cos 0."""
        found = impl(_own(case), T=1)[0]
        expected = (torch.arange(case.D) % 2).to(case.dtype)
        require(torch.equal(found, expected), f"position 0 is {found.tolist()}, expected 0, 1, 0, 1, …")

    def test_second_position_shows_the_frequencies(self, impl, case):
        """At position 1 the columns are the sines and cosines of 10000^(−2j/D), odd D included."""
        found = impl(_own(case), T=2)[1]
        angles = 10000.0 ** (-torch.arange(0, case.D, 2, dtype=case.dtype) / case.D)
        pairs = torch.stack([torch.sin(angles), torch.cos(angles)], 1).flatten()
        return found, pairs[: case.D]

    def test_shift_is_a_rotation_of_every_pair(self, impl, case):
        """The rotation by δ takes each position's pairs δ further, the same one for all positions."""
        steps, pairs = min(case.T, 40), case.D // 2
        if not pairs:
            return skip_case
        shift = 1 + case.seed % 5
        table = impl(_own(case), T=steps + shift)[:, : 2 * pairs].reshape(steps + shift, pairs, 2)
        turns = torch.stack([attention.relative_shift_matrix(shift, j, case.D, case.dtype) for j in range(pairs)])
        return (turns @ table[:steps, :, :, None])[..., 0], table[shift:]

    def test_products_of_positions_depend_on_their_distance(self, impl, case):
        """For even D, P[i] · P[k] is the same for all positions that are equally far apart."""
        D = case.D + case.D % 2
        table = impl(_own(case), T=8, D=D)
        products = table @ table.T
        return products[1:, 1:], products[:-1, :-1]

    def test_elements_lie_between_minus_one_and_one(self, impl, case):
        """Sines and cosines stay in [−1, 1]."""
        found = impl(case)
        require((found.abs() <= 1).all(), "an element is beyond [−1, 1]", got=found)

    def test_more_positions_keep_the_first(self, impl, case):
        """The table of more positions begins with that of fewer."""
        return impl(_own(case), T=case.T + 3)[: case.T], impl(_own(case))

    def test_half_precision_rounds_the_result_only(self, impl, case):
        """In float16 and bfloat16 no element is further off than two roundings of 1: angles keep their digits."""
        for dtype in (torch.float16, torch.bfloat16):
            low, exact = impl(case, dtype=dtype), impl(case, dtype=torch.float64)
            require(low.dtype == dtype, f"asked for {dtype}, got {low.dtype}")
            worst = float((low.double() - exact).abs().max())
            require(worst <= torch.finfo(dtype).eps, f"in {dtype} an element is off by {worst:.3g}", got=low)


class TestRelativeShiftMatrix(OfItsDtype, Spec):
    component = attention.relative_shift_matrix
    cases = domains.relative_shift_matrix
    edges = (dict(delta=0, j=0, D=2), dict(delta=1, j=0, D=3))
    invalid = (
        Invalid(IndexError, "a pair beyond the last", delta=1, j=2, D=4),
        Invalid(IndexError, "the last column of an odd D, which has no partner", delta=1, j=2, D=5),
        Invalid(IndexError, "a negative pair", delta=1, j=-1, D=4),
        Invalid(ValueError, "a column without a partner", delta=1, j=0, D=1),
        Invalid(TypeError, "whole numbers for sines", delta=1, j=0, D=4, dtype=torch.int64),
    )
    declines = FROM_NOTHING
    prerequisites = ("positional_encoding",)

    def test_it_moves_every_position_alike(self, impl, case):
        """Position i's pair times the matrix is the pair of i + δ, for every i."""
        steps, pair = 6, slice(2 * case.j, 2 * case.j + 2)
        shift = abs(case.delta)
        table = attention.positional_encoding(steps + shift, case.D, case.dtype)[:, pair]
        near, far = table[:steps], table[shift:]
        start, goal = (near, far) if case.delta >= 0 else (far, near)
        return start @ impl(_own(case)).T, goal

    def test_it_is_a_rotation(self, impl, case):
        """Its transpose undoes it, and its determinant is 1."""
        turn = impl(_own(case))
        determinant = turn[0, 0] * turn[1, 1] - turn[0, 1] * turn[1, 0]
        return [(turn @ turn.T, torch.eye(2, dtype=case.dtype)), (determinant, torch.ones_like(determinant))]

    def test_shifts_add_up(self, impl, case):
        """Two shifts one after the other are their sum; no shift is the identity."""
        case = _own(case)
        both = impl(case) @ impl(case, delta=3)
        return [(both, impl(case, delta=case.delta + 3)), (impl(case, delta=0), torch.eye(2, dtype=case.dtype))]

    def test_shift_back_is_the_transpose(self, impl, case):
        """A shift of −δ is the transpose of a shift of δ."""
        case = _own(case)
        return impl(case, delta=-case.delta), impl(case).T


class TestAttentionComplexity(Spec):
    component = attention.attention_complexity
    cases = domains.attention_complexity
    edges = (
        dict(kind="convolution", n=1, d=1, k=1),
        dict(kind="recurrent", n=1, d=1),
        dict(kind="self_attention", n=1, d=1),
    )
    invalid = (
        Invalid(ValueError, "an unknown kind", kind="pooling", n=4, d=2, k=3),
        Invalid(ValueError, "a convolution without a kernel", kind="convolution", n=4, d=2, k=None),
        Invalid(ValueError, "a kernel of nothing", kind="convolution", n=4, d=2, k=0),
        Invalid(ValueError, "no token", kind="self_attention", n=0, d=2),
        Invalid(ValueError, "no feature", kind="recurrent", n=4, d=0),
    )
    declines = FROM_NOTHING

    def test_twice_as_many_tokens(self, impl, case):
        """Twice the tokens: attention computes four times as much, the others twice; only recurrence waits longer."""
        before, after = impl(case), impl(case, n=2 * case.n)
        factors = {"convolution": (2, 1), "recurrent": (2, 2), "self_attention": (4, 1)}[case.kind]
        for name, factor in zip(("compute", "sequential"), factors, strict=True):
            found = (before[name], after[name])
            require(found[1] == factor * found[0], f"{name} grows from {found[0]} to {found[1]}, expected ×{factor}")

    def test_twice_as_many_features(self, impl, case):
        """Twice the features: attention computes twice as much, the others four times; nothing else changes."""
        before, after = impl(case), impl(case, d=2 * case.d)
        factor = 2 if case.kind == "self_attention" else 4
        require(after["compute"] == factor * before["compute"], f"{after} for {before}, expected compute ×{factor}")
        same = all(after[name] == before[name] for name in ("sequential", "path"))
        require(same, f"{after} for {before}: features change more than the computing")

    def test_attention_is_cheaper_for_short_sequences(self, impl, case):
        """Self-attention computes less than recurrence exactly where there are fewer tokens than features."""
        ours, theirs = (impl(case, kind=kind)["compute"] for kind in ("self_attention", "recurrent"))
        require((ours < theirs) == (case.n < case.d), f"{ours} against {theirs} for n = {case.n}, d = {case.d}")

    def test_paths_join_the_ends(self, impl, case):
        """Attention joins any two tokens at once, recurrence in n steps, a convolution in enough layers for n tokens."""
        n, k = case.n, case.k or 3
        paths = {kind: impl(case, kind=kind, k=k)["path"] for kind in ("self_attention", "recurrent", "convolution")}
        require(paths["self_attention"] == 1, f"self-attention has a path of {paths['self_attention']}")
        require(paths["recurrent"] == n, f"recurrence has a path of {paths['recurrent']}, expected {n}")
        layers = paths["convolution"]
        enough = layers * k >= n > (layers - 1) * k
        require(enough, f"a convolution of {k} has a path of {layers} over {n} tokens")

    def test_published_orders_of_note_004(self, impl):
        """n = 5 tokens of d = 4 features, kernel 3: compute, sequential steps and path of the three kinds."""
        for kind, expected in published.NOTE_004_ORDERS.items():
            found = impl.call(kind=kind, **published.NOTE_004_SIZES)
            require(found == expected, f"{kind}: {found}, expected {expected}")
