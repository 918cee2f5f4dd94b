"""Laws of batches of a corpus, counted over many passes, and of perplexity."""

import math
from collections import Counter

import torch

from lawbook.fixtures.cases import sequences as domains
from lawbook.fixtures.published import sequences as published
from lawbook.reference import sequences
from lawbook.spec_tests.chance import SEEDS
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_data.laws import VIEWS, check_every_order, check_scattered
from lawbook.spec_tests.test_tensors.random_laws import check_shares

CORPUS = torch.arange(20) % 7
PASSES = 150
DECLINED = VIEWS | {
    "agrees_with_reference": "libraries have streams of their own: a seed does not stand for the same offset and order in "
    "all of them; laws about batches judge them",
    "repeated_calls_agree": "the offset is not the reference's; 'same seed same batches' says it of the implementation's own",
    "shape_and_dtype": "how many batches there are depends on the offset; 'batches are full' judges their form",
    "memory_layout": "the offset is not the reference's; 'tokens are those of the corpus' runs on other memory too",
    "low_precision": "nothing is rounded",
    "nan_not_hidden": "whole numbers hold no nan",
    "extremes_stay_finite": "nothing is computed",
    "accelerator_agrees": "the offset is not the reference's",
}
INVALID = (
    Invalid(
        ValueError, "a matrix in place of a corpus", corpus=CORPUS.reshape(4, 5), batch_size=2, num_steps=3, seed=0
    ),
    Invalid(ValueError, "batches of nothing", corpus=CORPUS, batch_size=0, num_steps=3, seed=0),
    Invalid(ValueError, "rows of nothing", corpus=CORPUS, batch_size=2, num_steps=0, seed=0),
    Invalid(TypeError, "half a step", corpus=CORPUS, batch_size=2, num_steps=1.5, seed=0),
    Invalid(TypeError, "floating numbers in place of tokens", corpus=CORPUS.float(), batch_size=2, num_steps=3, seed=0),
)
NONE = (
    dict(corpus=CORPUS[:0], batch_size=2, num_steps=1, seed=0),
    dict(corpus=CORPUS[:1], batch_size=1, num_steps=1, seed=0),
    dict(corpus=CORPUS[:2], batch_size=1, num_steps=1, seed=0),
    dict(corpus=CORPUS[:4], batch_size=4, num_steps=1, seed=0),
)


def pairs(found):
    """The batches; LawBroken unless they are pairs of matrices."""
    require(isinstance(found, list | tuple), f"the batches are {type(found).__name__}, expected a list of them")
    for k, pair in enumerate(found):
        right = isinstance(pair, list | tuple) and [getattr(part, "ndim", None) for part in pair] == [2, 2]
        require(right, f"batch {k} is {pair}, expected X and Y with two axes each")
    return found


def counting(impl, n, batch_size, num_steps, seed):
    """Batches of the corpus 0, 1, 2, …: every token says where it stands."""
    found = pairs(impl.call(corpus=torch.arange(n), batch_size=batch_size, num_steps=num_steps, seed=seed))
    for k, pair in enumerate(found):
        for part in pair:
            require(bool(((part >= 0) & (part < n)).all()), f"batch {k} holds {part.tolist()}, of tokens 0..{n - 1}")
    return found


def beginnings(impl, n, batch_size, num_steps, seed):
    """Where the rows of all batches begin, one behind the other."""
    rows = [X[:, 0] for X, _ in counting(impl, n, batch_size, num_steps, seed)]
    return torch.cat([torch.zeros(0, dtype=torch.int64), *rows])


class BatchLaws(Spec):
    """What holds for both samplings."""

    def test_batches_are_full(self, impl, case):
        """Every X and every Y has ``batch_size`` rows of ``num_steps`` tokens, of the corpus's dtype."""
        form = (case.batch_size, case.num_steps)
        for dtype in (torch.int64, torch.int32):
            for k, pair in enumerate(pairs(impl(case, corpus=case.corpus.to(dtype)))):
                for part in pair:
                    require(tuple(part.shape) == form, f"batch {k} has shape {tuple(part.shape)}, expected {form}")
                    require(part.dtype == dtype, f"batch {k} is {part.dtype}, expected {dtype}")

    def test_labels_are_one_step_on(self, impl, case):
        """Y holds the token that follows each token of X in the corpus, behind the end of a row too."""
        for k, (X, Y) in enumerate(self.places(impl, case)):
            require(torch.equal(Y, X + 1), f"batch {k}: behind {X.tolist()} stand {Y.tolist()}")
            require(torch.equal(X, X[:, :1] + torch.arange(case.num_steps)), f"batch {k} has the rows {X.tolist()}")

    def test_tokens_are_those_of_the_corpus(self, impl, case):
        """Which tokens they are changes nothing: batches hold what stands at their places, in any memory layout."""
        places = [part for pair in self.places(impl, case) for part in pair]
        apart = torch.stack([case.corpus, case.corpus + 1], 1)[:, 0]
        for corpus in (case.corpus, apart):
            _, found = impl.call_with({**case.arguments, "corpus": corpus})
            parts = [part for pair in pairs(found) for part in pair]
            require(len(parts) == len(places), f"{len(parts) // 2} batches, with other tokens {len(places) // 2}")
            for part, place in zip(parts, places, strict=True):
                require(
                    torch.equal(part, case.corpus[place]), f"{part.tolist()}, there stand {case.corpus[place].tolist()}"
                )

    def test_same_seed_same_batches(self, impl, case):
        """The same seed gives the same batches again, also after another seed."""
        first = impl(case)
        impl(case, seed=case["seed"] + 1)
        return impl(case), first

    def test_no_token_comes_twice_in_a_pass(self, impl, case):
        """In one pass no place of the corpus is in two rows, nor twice a label."""
        for part, what in ((0, "X"), (1, "Y")):
            seen = Counter(place for pair in self.places(impl, case) for place in pair[part].flatten().tolist())
            twice = [place for place, count in seen.items() if count > 1]
            require(not twice, f"places {twice} come twice in {what}")

    def test_one_offset_decides_the_pass(self, impl, case):
        """All that an offset below ``num_steps`` gives is there: no batch and no row less, none of another offset."""
        n, b, s = len(case.corpus), case.batch_size, case.num_steps
        starts = [X[:, 0].tolist() for X, _ in self.places(impl, case)]
        possible = [offset for offset in range(s) if self.fits(starts, offset, n, b, s)]
        require(possible, f"the rows begin at {starts}, which no offset in 0..{s - 1} of {n} tokens gives")

    def test_every_offset_comes_up(self, impl):
        """In 150 passes each offset 0 … num_steps − 1 comes up as often as chance allows, and no other one does.

        Of six tokens the offset 0 alone leaves five and one more; all others give no batch.
        """
        for n, b, s, chances in ((26, 2, 3, (1 / 3, 1 / 3, 1 / 3)), (6, 1, 5, (1 / 5, 4 / 5))):
            found: Counter[int | None] = Counter()
            for seed in range(PASSES):
                starts = [X[:, 0].tolist() for X, _ in counting(impl, n, b, s, seed)]
                found[next((offset for offset in range(s) if self.fits(starts, offset, n, b, s)), None)] += 1
            said = {f"begin at {k}": chance for k, chance in enumerate(chances)} | {"fit no offset": 0.0}
            counts = [*(found[k] for k in range(len(chances))), found[None]]
            check_shares(counts, said, PASSES, f"passes through {n} tokens in {b} rows of {s}")

    def test_no_token_is_lost_over_the_passes(self, impl):
        """In 150 passes every token that some offset gives a row is in X, and the one behind it in Y: none is lost for good.

        Of 26 tokens in two rows of three, two offsets together leave none out but the last of X and the first of Y. A token
        that belongs to one offset of five, or to one of four and to one of five rows of which four come, comes in a fifth of
        the passes: that it never does has a chance of (4/5)¹⁵⁰ < 1e-14.
        """
        for n, b, s in ((26, 2, 3), (22, 2, 4), (6, 1, 5), (8, 3, 1)):
            inputs, labels = set(), set()
            for seed in range(PASSES):
                for X, Y in counting(impl, n, b, s, seed):
                    inputs.update(X.flatten().tolist())
                    labels.update(Y.flatten().tolist())
            wanted = {start + i for offset in range(s) for start in self.reached(offset, n, b, s) for i in range(s)}
            for seen, expected, what in ((inputs, wanted, "X"), (labels, {place + 1 for place in wanted}, "Y")):
                lost, strange = sorted(expected - seen), sorted(seen - expected)
                require(
                    seen == expected,
                    f"of {n} tokens in {b} rows of {s}, {lost} never come in {what}, and {strange} should not",
                )

    def test_published_batches_of_note_003(self, impl):
        """The printed batches are those of the offset 3: the same rows, and Y one step on.

        That an offset of five does not come up in 150 passes has a chance of (4/5)¹⁵⁰ < 1e-14.
        """
        printed = list(zip(published.NOTE_003_X, published.NOTE_003_Y, strict=True))
        rows = {x: y for X, Y in printed for x, y in zip(X, Y, strict=True)}
        for seed in range(PASSES):
            batches = counting(impl, published.NOTE_003_CORPUS, 2, 5, seed)
            found = {tuple(x): tuple(y) for X, Y in batches for x, y in zip(X.tolist(), Y.tolist(), strict=True)}
            if found and min(found)[0] == 3:
                require(found == rows, f"with the offset 3 the rows are {found}, printed are {rows}")
                self.check_printed([X.tolist() for X, _ in batches], printed)
                return
        require(False, f"the offset 3 never comes up in {PASSES} passes")

    def check_printed(self, found, printed):
        """What more the printed batches say of a sampling."""

    def fits(self, starts, offset, n, batch_size, num_steps):
        """Whether an offset gives batches whose rows begin there."""
        raise NotImplementedError

    def reached(self, offset, n, batch_size, num_steps):
        """Where rows may begin with an offset."""
        raise NotImplementedError

    def places(self, impl, case):
        """The case's batches of places in place of tokens."""
        return counting(impl, len(case.corpus), case.batch_size, case.num_steps, case["seed"])


class TestRandomBatches(BatchLaws):
    component = sequences.random_batches
    cases = domains.batches
    declines = DECLINED
    invalid = INVALID
    edges = NONE

    def fits(self, starts, offset, n, batch_size, num_steps):
        """Whether rows may begin there: as many full batches as there are, of subsequences behind the offset."""
        count = max(n - offset - 1, 0) // num_steps
        allowed = {offset + j * num_steps for j in range(count)}
        return len(starts) == count // batch_size and {start for row in starts for start in row} <= allowed

    def reached(self, offset, n, batch_size, num_steps):
        """Where rows may begin with that offset."""
        count = max(n - offset - 1, 0) // num_steps
        return range(offset, offset + count * num_steps, num_steps) if count >= batch_size else ()

    def test_order_is_that_of_chance(self, impl):
        """300 subsequences come in an order as scattered as chance gives it, for two seeds."""
        for seed in SEEDS:
            order = beginnings(impl, 301, 4, 1, seed)
            require(len(order) == 300, f"of 301 tokens come {len(order)} rows of one, expected 300")
            check_scattered(order, f"seed = {seed}")

    def test_every_order_is_equally_likely(self, impl):
        """Each of the six orders of three subsequences comes up as often as chance allows, in 600 passes."""
        check_every_order(lambda seed: beginnings(impl, 4, 1, 1, seed), "three subsequences")


class TestSequentialBatches(BatchLaws):
    component = sequences.sequential_batches
    cases = domains.batches
    declines = DECLINED
    invalid = INVALID
    edges = (*NONE, dict(corpus=CORPUS, batch_size=3, num_steps=1, seed=0))

    def fits(self, starts, offset, n, batch_size, num_steps):
        """Whether rows begin just there: at equal distances, and from batch to batch one row's steps on."""
        length = max(n - offset - 1, 0) // batch_size
        steps = range(0, length // num_steps * num_steps, num_steps)
        return starts == [[offset + r * length + i for r in range(batch_size)] for i in steps]

    def reached(self, offset, n, batch_size, num_steps):
        """Where rows begin with that offset."""
        length = max(n - offset - 1, 0) // batch_size
        steps = range(0, length // num_steps * num_steps, num_steps)
        return [offset + r * length + i for r in range(batch_size) for i in steps]

    def test_rows_go_on_in_the_next_batch(self, impl, case):
        """Each row begins where the same row of the batch before ended."""
        batches = self.places(impl, case)
        if len(batches) < 2:
            return skip_case
        for k in range(1, len(batches)):
            before, X = batches[k - 1][0], batches[k][0]
            require(
                torch.equal(X[:, 0], before[:, -1] + 1),
                f"batch {k} begins at {X[:, 0].tolist()}, batch {k - 1} ended at {before[:, -1].tolist()}",
            )
        return None

    def check_printed(self, found, printed):
        """The same batches, in the order of the text."""
        expected = sorted([list(map(list, X)) for X, _ in printed])
        require(found == expected, f"the batches are {found}, expected {expected}")


class TestPerplexity(Spec):
    component = sequences.perplexity
    cases = domains.perplexity
    extremes = domains.perplexity_extremes
    differentiable = ("log_probs", "mean_loss")
    twice = True
    invalid = (
        Invalid(ValueError, "neither logarithms nor a mean loss"),
        Invalid(ValueError, "both", log_probs=-torch.ones(2), mean_loss=torch.tensor(1.0)),
        Invalid(ValueError, "no token", log_probs=torch.zeros(0)),
        Invalid(ValueError, "a probability above 1", log_probs=torch.tensor([-1.0, 0.5])),
        Invalid(ValueError, "a negative mean loss", mean_loss=torch.tensor(-0.5)),
        Invalid(ValueError, "losses that are not averaged yet", mean_loss=torch.ones(3)),
    )
    edges = (dict(log_probs=torch.tensor([-1.0])), dict(mean_loss=torch.tensor(0.0)), dict(log_probs=torch.zeros(2, 1)))

    def test_certainty_is_one(self, impl, case):
        """Where every true token had the probability 1, the perplexity is 1, to the last bit."""
        given = torch.zeros_like(case.log_probs if case.mean_loss is None else case.mean_loss)
        for found in (impl.call(log_probs=given), impl.call(mean_loss=given.sum())):
            require(bool(found == 1), f"it is {found}")

    def test_uniform_choice_among_v_is_v(self, impl, case):
        """A model that knows nothing hesitates between all V tokens."""
        like = case.log_probs if case.mean_loss is None else case.mean_loss
        return [
            (impl.call(log_probs=torch.full_like(like, -math.log(v))), torch.full_like(like.sum(), v))
            for v in (2, 28, 10_000)
        ]

    def test_is_the_exponential_of_the_mean_loss(self, impl, case):
        """Logarithms of probabilities, and their negative mean as a loss, have one perplexity."""
        if case.log_probs is None:
            return impl(case, mean_loss=None, log_probs=-case.mean_loss), impl(case)
        return impl(case, log_probs=None, mean_loss=-case.log_probs.mean()), impl(case)

    def test_form_of_the_text_does_not_matter(self, impl, case):
        """Tokens in another order, in rows or in one line, and every one twice, have the same perplexity."""
        if case.log_probs is None:
            return skip_case
        line = case.log_probs.reshape(-1)
        return [(impl(case, log_probs=given), impl(case)) for given in (line.flip(0), torch.stack([line, line], 1))]

    def test_halves_multiply(self, impl, case):
        """Of two texts of one length the perplexity of both together is the geometric mean, not the arithmetic one."""
        if case.log_probs is None:
            return skip_case
        other = -case.noise(case.log_probs.shape).abs()
        together = impl(case, log_probs=torch.stack([case.log_probs, other]))
        # As logarithms: the product of two perplexities may be beyond the dtype's range.
        return together.log(), (impl(case).log() + impl(case, log_probs=other).log()) / 2

    def test_an_impossible_token_is_infinite(self, impl, case):
        """One token that the model held for impossible makes the perplexity infinite."""
        line = (case.log_probs if case.mean_loss is None else -case.mean_loss).reshape(-1)
        found = impl.call(log_probs=torch.cat([line, torch.full_like(line[:1], -torch.inf)]))
        require(bool(found == torch.inf), f"it is {found}")
