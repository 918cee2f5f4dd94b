"""Tokens that are hidden, chosen by chance."""

import math

import scipy
import torch

from lawbook.fixtures.cases import bert as domains
from lawbook.fixtures.published import bert as published
from lawbook.reference import bert
from lawbook.spec_tests.chance import ALARM, SEEDS, check_unrelated
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_attention.laws import ramp
from lawbook.spec_tests.test_bert.laws import STOCHASTIC

MANY = 100_000
VOCAB, MASK, SPECIAL = 40, 2, [0, 1, 3]
ORDINARY = VOCAB - len(SPECIAL) - 1
HALVES = {10: 2, 30: 4, 70: 10}
"""Tokens, of which 15 % end in a half, and how many are chosen."""


def ordinary(vocab, mask, special):
    """(V,), bool: which tokens may be chosen and drawn."""
    return torch.ones(vocab, dtype=torch.bool).index_fill(0, torch.tensor([mask, *special]), False)


def between(count, total, chance, what, alarm=ALARM):
    """Require that a binomial count lies between its quantiles."""
    low, high = (int(end) for end in scipy.stats.binom.ppf((alarm / 2, 1 - alarm / 2), total, chance))
    require(
        low <= count <= high,
        f"{what}: {count / total:.4f}, expected {chance:.4f}; chance allows {low / total:.4f} to {high / total:.4f}",
    )


class TestMaskTokens(Spec):
    component = bert.mask_tokens
    cases = domains.mask_tokens
    declines = STOCHASTIC
    _good = dict(
        tokens=torch.tensor([0, 5, 6, 7, 1]), candidates=None, num=None, vocab=9, mask=2, special=[0, 1], seed=3
    )
    invalid = (
        Invalid(
            IndexError,
            "a token beyond the vocabulary that is no candidate",
            **{**_good, "tokens": torch.tensor([0, 5, 9]), "candidates": torch.tensor([1])},
        ),
        Invalid(IndexError, "a token beyond the vocabulary", **{**_good, "tokens": torch.tensor([0, 5, 9])}),
        Invalid(IndexError, "a candidate beyond the tokens", **{**_good, "candidates": torch.tensor([1, 5])}),
        Invalid(IndexError, "a negative token", **{**_good, "tokens": torch.tensor([0, 5, -1])}),
        Invalid(IndexError, "a negative candidate", **{**_good, "candidates": torch.tensor([1, -1])}),
        Invalid(ValueError, "a negative mask", **{**_good, "mask": -1}),
        Invalid(ValueError, "a mask beyond the vocabulary", **{**_good, "mask": 9}),
        Invalid(ValueError, "a special token beyond the vocabulary", **{**_good, "special": [0, 9]}),
        Invalid(ValueError, "fewer than no tokens to choose", **{**_good, "num": -1}),
        Invalid(ValueError, "a vocabulary of special tokens", **{**_good, "vocab": 3, "tokens": torch.tensor([0])}),
        Invalid(TypeError, "tokens that are no integers", **{**_good, "tokens": ramp(5)}),
        Invalid(TypeError, "no seed", **{**_good, "seed": None}),
    )

    def test_labels_are_the_originals(self, impl, case):
        """Positions rise, and labels are the tokens that stood there; everywhere else the inputs are the tokens."""
        inputs, positions, labels = impl(case)
        require((positions.diff() > 0).all(), f"positions do not rise: {positions.tolist()}")
        require(torch.equal(labels, case.tokens[positions]), f"labels are {labels.tolist()}, not what stood there")
        rest = torch.ones(len(case.tokens), dtype=torch.bool).index_fill(0, positions, False)
        require(torch.equal(inputs[rest], case.tokens[rest]), "a token that was not chosen is changed")

    def test_as_many_are_chosen_as_was_asked(self, impl, case):
        """``num`` of them, 15 % of the tokens without it, at least one; never more than may be chosen."""
        # Of three tokens 15 % are none.
        for given in (case, case.but(tokens=case.tokens[:3], candidates=None, num=None)):
            share = max(1, round(published.SHARE * len(given.tokens)))
            wanted = share if given.num is None else given.num
            free = self.free(given)
            found = impl(given)[1]
            expected = min(wanted, int(free.sum()))
            require(len(found) == expected, f"{len(found)} positions are chosen, expected {expected}")
            require(free[found].all(), f"{found.tolist()} holds a position that may not be chosen")

    def test_half_a_token_goes_to_the_even_number(self, impl, case):
        """Without ``num``, 15 % of 10, 30 and 70 tokens, which are 1.5, 4.5 and 10.5, are 2, 4 and 10."""
        for count, expected in HALVES.items():
            tokens = torch.full((count,), 5)
            found = len(impl(case, tokens=tokens, candidates=None, num=None, vocab=9, mask=2, special=[0, 1])[1])
            require(found == expected, f"of {count} tokens {found} are chosen, expected {expected}")

    def test_candidates_named_twice_count_once(self, impl, case):
        """Each position is chosen once, however often it is named, and named twice it is no likelier."""
        tokens, candidates = torch.full((6,), 5), torch.tensor([4, 1, 4, 4, 1])
        given = dict(tokens=tokens, candidates=candidates, vocab=9, mask=2, special=[0, 1])
        for num in (2, 3, 6):
            found = impl(case, **given, num=num)[1].tolist()
            require(found == [1, 4], f"of the candidates 1 and 4 {found} are chosen for num = {num}")

    def test_special_tokens_are_never_chosen(self, impl, case):
        """Special tokens stay where they are, also when all positions are asked for."""
        special = ~ordinary(case.vocab, case.mask, [s for s in case.special if s != case.mask])
        special[case.mask] = case.mask in case.special
        stay = special[case.tokens]
        inputs, positions, _ = impl(case, candidates=None, num=len(case.tokens))
        require(torch.equal(inputs[stay], case.tokens[stay]), "a special token was replaced")
        require(not stay[positions].any(), "a special token is to be foretold")
        require(len(positions) == int((~stay).sum()), f"{len(positions)} chosen of {int((~stay).sum())} that may be")

    def test_nothing_to_choose_changes_nothing(self, impl, case):
        """Without tokens, without candidates or with ``num`` 0 the inputs are the tokens."""
        none = torch.zeros(0, dtype=torch.int64)
        for changed in (case.but(num=0), case.but(candidates=none, num=3), case.but(tokens=none, candidates=None)):
            inputs, positions, labels = impl(changed)
            tokens = changed.tokens
            require(torch.equal(inputs, tokens), "inputs differ from the tokens", got=inputs)
            require(not len(positions) and not len(labels), f"{len(positions)} positions are chosen, expected none")

    def test_drawn_tokens_are_ordinary(self, impl, case):
        """What stands at a chosen position is the mask, the true token, or an ordinary one."""
        inputs, positions, labels = impl(case, num=len(case.tokens))
        found = inputs[positions]
        fine = (found == case.mask) | (found == labels) | ordinary(case.vocab, case.mask, case.special)[found]
        require(fine.all(), f"{found[~fine].tolist()} were drawn, which are special")

    def test_same_seed_same_choice(self, impl, case):
        """The same seed gives the same choice again, also after another seed."""
        first = impl(case)
        impl(case, seed=case["seed"] + 1)
        second = impl(case)
        require(all(map(torch.equal, first, second)), "the same seed chooses otherwise at a later call")

    def test_eighty_ten_ten(self, impl):
        """Of 1e5 chosen tokens 80 % are masked, 10 % drawn anew and 10 % kept, each by itself."""
        shares = published.SHARES
        for seed in SEEDS:
            tokens, (inputs, _, labels) = self.many(impl, MANY, seed)
            require(torch.equal(labels, tokens), "not all tokens are chosen, or labels are not the tokens")
            masked, changed = inputs == MASK, (inputs != MASK) & (inputs != labels)
            between(int(masked.sum()), MANY, shares["mask"], "masked")
            # A token that is drawn is the true one with the chance 1 / ORDINARY.
            other = shares["random"] * (1 - 1 / ORDINARY)
            between(int(changed.sum()), MANY, other, "drawn anew")
            check_unrelated(masked.double() - shares["mask"], 1.0, "masked")
            check_unrelated(changed.double() - other, 1.0, "drawn anew")

    def test_drawn_tokens_are_equally_likely(self, impl):
        """Of the tokens drawn anew every ordinary one comes up as often, and no other."""
        _, (inputs, _, labels) = self.many(impl, MANY, SEEDS[0])
        drawn = inputs[(inputs != MASK) & (inputs != labels)]
        words = ordinary(VOCAB, MASK, SPECIAL)
        require(words[drawn].all(), "a special token was drawn")
        # True tokens are uniform over the words too, so that what differs from them is.
        counts = torch.bincount(drawn, minlength=VOCAB)[words].double()
        expected = len(drawn) / ORDINARY
        found = float(((counts - expected) ** 2 / expected).sum())
        limit = float(scipy.stats.chi2.isf(ALARM, ORDINARY - 1))
        require(found <= limit, f"drawn tokens are not equally likely: χ² is {found:.1f}, chance allows {limit:.1f}")

    def test_every_position_is_equally_likely(self, impl):
        """15 % of 1e5 tokens, as many of them in every quarter, and neighbours know nothing of each other."""
        _, (_, positions, _) = self.many(impl, None, SEEDS[1])
        total = round(published.SHARE * MANY)
        require(len(positions) == total, f"{len(positions)} positions are chosen, expected {total}")
        quarter = MANY // 4
        low, high = scipy.stats.hypergeom.ppf((ALARM / 8, 1 - ALARM / 8), MANY, quarter, total)
        for k, found in enumerate(torch.bincount(positions // quarter, minlength=4).tolist()):
            require(low <= found <= high, f"quarter {k} has {found} chosen; chance allows {int(low)} to {int(high)}")
        # Disjoint pairs of neighbours are negatively associated, for which Hoeffding's inequality holds.
        pairs = torch.zeros(MANY, dtype=torch.bool).index_fill(0, positions, True).reshape(-1, 2).all(1)
        found, expected = float(pairs.double().mean()), total * (total - 1) / (MANY * (MANY - 1))
        limit = math.sqrt(math.log(2 / ALARM) / (2 * len(pairs)))
        require(
            abs(found - expected) <= limit,
            f"of {found:.4f} of the pairs both are chosen, expected {expected:.4f}; chance allows ±{limit:.4f}",
        )

    def free(self, case):
        """(T,), bool: which positions may be chosen."""
        count = len(case.tokens)
        asked = torch.ones(count, dtype=torch.bool)
        if case.candidates is not None:
            asked = torch.zeros(count, dtype=torch.bool).index_fill(0, case.candidates, True)
        special = torch.tensor(case.special, dtype=torch.int64)
        return asked & ~torch.isin(case.tokens, special)

    def many(self, impl, num, seed):
        """Ordinary tokens, each equally likely, and what becomes of them."""
        words = ordinary(VOCAB, MASK, SPECIAL).nonzero()[:, 0]
        generator = torch.Generator().manual_seed(seed)
        tokens = words[torch.randint(len(words), (MANY,), generator=generator)]
        settings = dict(candidates=None, num=num, vocab=VOCAB, mask=MASK, special=SPECIAL, seed=seed)
        return tokens, impl.call(tokens=tokens, **settings)
