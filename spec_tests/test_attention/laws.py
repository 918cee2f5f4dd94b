"""Laws of all components that average values, and what they share."""

import torch

from lawbook.spec_tests.spec import require, skip_case


def ramp(*shape, value=0.5):
    """Numbers from −value to value, in order."""
    count = torch.Size(shape).numel()
    return torch.linspace(-value, value, count, dtype=torch.float64).reshape(shape)


def seen(valid_lens, batch, queries, keys, causal=False, alignment="upper_left"):
    """(B, Q, K), bool: which keys each query may see."""
    columns = torch.arange(keys)
    if valid_lens is None:
        mask = torch.ones(batch, queries, keys, dtype=torch.bool)
    else:
        lens = valid_lens.reshape(batch, -1, 1)
        mask = (columns < lens).expand(batch, queries, keys)
    if causal:
        shift = keys - queries if alignment == "lower_right" else 0
        mask = mask & (columns <= torch.arange(queries)[:, None] + shift)
    return mask


def mask_of(case):
    """Which keys each query of a case with q and k may see."""
    return seen(
        case.valid_lens,
        case.q.shape[0],
        case.q.shape[1],
        case.k.shape[1],
        case.arguments.get("causal", False),
        case.arguments.get("alignment", "upper_left"),
    )


def shortened(case):
    """The case with valid lengths that leave the last key to nobody; None where there is one key only."""
    keys = case.k.shape[1]
    if keys < 2:
        return None
    if case.valid_lens is None:
        return case.but(valid_lens=torch.full((len(case.q),), keys - 1))
    return case.but(valid_lens=case.valid_lens.clamp(max=keys - 1))


class PairLaws:
    """Laws of attention whose queries, keys and values stand under ``names``."""

    names = ("q", "k", "v")

    def unmasked(self, case):
        """The case without any mask."""
        return case.but(valid_lens=None, **({"causal": False} if "causal" in case.arguments else {}))

    def test_pairs_may_change_places(self, impl, case):
        """Without a mask, keys and values reordered alike change nothing."""
        _, k, v = self.names
        case = self.unmasked(case)
        order = torch.randperm(case[k].shape[1], generator=case.generator(5))
        return impl(case, **{k: case[k][:, order], v: case[v][:, order]}), impl(case)

    def test_it_is_linear_in_the_values(self, impl, case):
        """Doubled values plus others give the doubled result plus theirs."""
        v = self.names[2]
        other = case.noise(case[v].shape, 1)
        return impl(case, **{v: 2 * case[v] + other}), 2 * impl(case) + impl(case, **{v: other})


class HullLaws(PairLaws):
    """Laws of attention whose values are averaged as they are, not projected."""

    def test_one_key_returns_its_value(self, impl, case):
        """With a single key every query gets its value."""
        q, k, v = self.names
        case = self.unmasked(case)
        found = impl(case, **{k: case[k][:, :1], v: case[v][:, :1]})
        return found, case[v][:, :1].expand(-1, case[q].shape[1], -1)

    def test_result_lies_among_the_values(self, impl, case):
        """No element of the result is beyond the largest or the smallest of the values."""
        v = self.names[2]
        found = impl(case)
        high, low = (bound(case[v], 1, keepdim=True).expand_as(found) for bound in (torch.amax, torch.amin))
        return [(torch.maximum(found, high), high), (torch.minimum(found, low), low)]

    def test_equal_values_come_back(self, impl, case):
        """Weights sum to one: where all values are alike the result is that value."""
        v = self.names[2]
        same = case[v][:, :1]
        found = impl(case, **{v: same.expand_as(case[v])})
        return found, same.expand_as(found)


class MaskLaws:
    """Laws of attention under valid lengths."""

    def test_one_length_a_sample_is_that_length_for_each_query(self, impl, case):
        """Lengths (B,) give what they give when repeated for every query."""
        case = shortened(case)
        if case is None:
            return skip_case
        lens = case.valid_lens if case.valid_lens.ndim == 1 else case.valid_lens[:, 0]
        each = lens[:, None].expand(-1, case.q.shape[1])
        return impl(case, valid_lens=each), impl(case, valid_lens=lens)

    def test_as_many_queries_as_samples_do_not_turn_lengths(self, impl, case):
        """Where there are as many queries as samples, lengths (B,) are still those of the samples."""
        batch, keys = len(case.q), case.k.shape[1]
        case = case.but(q=case.q[:, torch.arange(batch) % case.q.shape[1]], **self.uncaused(case))
        lens = 1 + torch.arange(batch) % keys
        return impl(case, valid_lens=lens), impl(case, valid_lens=lens[:, None].expand(-1, batch))

    def uncaused(self, case):
        """What makes a case see later keys too."""
        return {"causal": False} if "causal" in case.arguments else {}

    def test_lengths_of_all_keys_and_more_mask_nothing(self, impl, case):
        """Lengths as large as the number of keys, or larger, are no mask."""
        keys = case.k.shape[1]
        return impl(case, valid_lens=keys + torch.arange(len(case.q))), impl(case, valid_lens=None)

    def test_padding_has_no_influence(self, impl, case):
        """Other numbers in keys and values that nobody sees change neither the result nor a gradient."""
        case = shortened(case)
        if case is None:
            return skip_case
        hidden = ~mask_of(case).any(1)[..., None]
        k = torch.where(hidden, 5 * case.noise(case.k.shape, 1), case.k)
        v = torch.where(hidden, 100 * case.noise(case.v.shape, 2), case.v)
        return impl.vjp(case, None, ("q", "k", "v"), k=k, v=v), impl.vjp(case, None, ("q", "k", "v"))

    def test_gradient_of_padding_is_zero(self, impl, case):
        """Keys and values that nobody sees have a gradient of exactly 0."""
        case = shortened(case)
        if case is None:
            return skip_case
        hidden = ~mask_of(case).any(1)
        grads = impl.vjp(case, None, ("k", "v"))[1]
        for name, grad in grads.items():
            require((grad[hidden] == 0).all(), f"padding has a gradient for {name}", got=grad)

    def test_nan_in_the_padding_stays_there(self, impl, case):
        """A nan in keys and values that nobody sees reaches neither the result nor a gradient."""
        case = shortened(case)
        if case is None:
            return skip_case
        hidden = ~mask_of(case).any(1)[..., None]
        given = dict(k=torch.where(hidden, torch.nan, case.k), v=torch.where(hidden, torch.nan, case.v))
        wrt = tuple(name for name in ("q", "k", "v", "params") if name in case.arguments)
        result, grads = impl.vjp(case, None, wrt, **given)
        require(not result.isnan().any(), "the result holds nan from the padding", got=result)
        for name, grad in named(grads):
            require(not grad.isnan().any(), f"the gradient for {name} holds nan from the padding", got=grad)

    def test_nan_for_later_queries_is_not_seen_before(self, impl, case):
        """A nan in a key and value that only the last query sees shows in no other query's result."""
        queries, keys = case.q.shape[1], case.k.shape[1]
        if queries < 2 or keys < 2:
            return skip_case
        lens = torch.full((len(case.q), queries), keys - 1)
        lens[:, -1] = keys
        case = case.but(valid_lens=lens, **self.uncaused(case))
        k, v = case.k.clone(), case.v.clone()
        k[:, -1] = v[:, -1] = torch.nan
        found = impl(case, k=k, v=v)
        require(not found[:, :-1].isnan().any(), "queries show a nan that they must not see", got=found)
        require(found[:, -1].isnan().all(), "the query that sees the nan hides it", got=found)

    def test_query_of_length_zero_gets_zeros(self, impl, case):
        """A sample without any key gets zeros, not nan and no mean, and a gradient of exactly 0."""
        # Below 0 is no key either.
        lens = torch.full((len(case.q),), -(case.seed % 2))
        lens[1:] = case.k.shape[1]
        result, grads = impl.vjp(case, None, ("q", "k", "v"), valid_lens=lens)
        require((result[0] == 0).all(), "a sample of length 0 does not get zeros", got=result)
        require(not result.isnan().any(), "samples beside one of length 0 are nan", got=result)
        for name, grad in grads.items():
            require((grad[0] == 0).all(), f"a sample of length 0 has a gradient for {name}", got=grad)
            require(not grad.isnan().any(), f"the gradient for {name} is nan beside a sample of length 0", got=grad)


def named(grads, prefix=""):
    for name, grad in grads.items():
        if isinstance(grad, dict):
            yield from named(grad, f"{prefix}{name} ")
        else:
            yield prefix + name, grad
