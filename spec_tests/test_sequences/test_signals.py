"""Laws of windows, predictions, joint probabilities and the noisy sine."""

import math
from dataclasses import dataclass
from itertools import product

import scipy
import torch

from lawbook.fixtures.cases import sequences as domains
from lawbook.fixtures.cases.sequences import last
from lawbook.fixtures.published import sequences as published
from lawbook.reference import sequences
from lawbook.spec_tests.chance import ALARM, SEEDS
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_data.laws import NO_TENSOR
from lawbook.spec_tests.test_initialization.laws import check_sample

X = torch.arange(6.0)
WITHOUT_TENSORS = NO_TENSOR | {"accelerator_agrees": "no argument is a tensor"}
MODEL = "what the model gives is handed on: one that repeats the last number may give a view of it"


def one_more(w):
    """Tomorrow is today and one more."""
    return w[:, -1:] + 1


def bad_series(**rest):
    """What is no series, and no window of one."""
    return (
        Invalid(ValueError, "a matrix in place of a series", **{**rest, "x": torch.ones(3, 4), "tau": 2}),
        Invalid(ValueError, "windows of nothing", **{**rest, "x": X, "tau": 0}),
        Invalid(ValueError, "a negative window", **{**rest, "x": X, "tau": -1}),
        Invalid(ValueError, "a window longer than the series", **{**rest, "x": X, "tau": 7}),
        Invalid(TypeError, "half a number", **{**rest, "x": X, "tau": 1.5}),
    )


class TestAutoregressiveWindows(Spec):
    component = sequences.autoregressive_windows
    cases = domains.autoregressive_windows
    differentiable = ("x",)
    declines = {"no_aliasing": "windows may be views: the series need not be copied"}
    invalid = bad_series()
    edges = (dict(x=X[:2], tau=2), dict(x=X[:1], tau=1), dict(x=X[:2], tau=1))

    def test_each_window_is_a_stretch_of_the_series(self, impl, case):
        """Row i holds the numbers i to i + τ − 1 in their order, its label is the number behind them."""
        features, labels = impl(case)
        tau, count = case.tau, len(case.x) - case.tau
        require(features.shape == (count, tau), f"features have shape {tuple(features.shape)}, expected {(count, tau)}")
        require(labels.shape == (count, 1), f"labels have shape {tuple(labels.shape)}, expected {(count, 1)}")
        for i, (row, label) in enumerate(zip(features.tolist(), labels[:, 0].tolist(), strict=True)):
            *expected, following = case.x[i : i + tau + 1].tolist()
            require(row == expected, f"row {i} is {row}, expected {expected}")
            require(label == following, f"the label of row {i} is {label}, expected {following}")

    def test_windows_move_by_one(self, impl, case):
        """Each window is the one before without its oldest number and with its label."""
        features, labels = impl(case)
        return features[1:], torch.cat([features[:-1, 1:], labels[:-1]], 1)

    def test_published_series_of_note_004(self, impl):
        """A thousand numbers in windows of four give 996 pairs."""
        x = torch.arange(float(published.NOTE_004_T))
        features, labels = impl.call(x=x, tau=published.NOTE_004_TAU)
        require((len(features), len(labels)) == (996, 996), f"{len(features)} windows and {len(labels)} labels")


class TestOneStepPredictions(Spec):
    component = sequences.one_step_predictions
    cases = domains.one_step_predictions
    differentiable = ("x",)
    declines = {"no_aliasing": MODEL}
    prerequisites = ("autoregressive_windows",)
    invalid = bad_series(model=last)
    edges = (dict(model=last, x=X[:2], tau=2), dict(model=last, x=X[:2], tau=1))

    def test_each_prediction_is_of_its_own_window(self, impl, case):
        """Prediction i is what the model gives for the numbers i to i + τ − 1 alone."""
        alone = [case.model(case.x[None, i : i + case.tau]) for i in range(len(case.x) - case.tau)]
        return impl(case), torch.cat([case.x.new_zeros(0, 1), *alone])

    def test_the_last_number_is_not_seen(self, impl, case):
        """The last number is to be predicted: another one in its place changes no prediction."""
        other = case.x.clone()
        other[-1] = other[-1] * 2 + 1
        return (impl(case, x=other), impl(case)) if len(case.x) > case.tau else skip_case

    def test_of_today_for_tomorrow(self, impl, case):
        """The model that repeats the last number gives the series, one step late."""
        return impl(case, model=last), case.x[case.tau - 1 : -1, None]


class TestKStepPredictions(Spec):
    component = sequences.k_step_predictions
    cases = domains.k_step_predictions
    differentiable = ("x",)
    prerequisites = ("one_step_predictions",)
    invalid = (
        *bad_series(model=last, k=1),
        Invalid(ValueError, "no step", model=last, x=X, tau=2, k=0),
        Invalid(ValueError, "more steps than there are numbers", model=last, x=X, tau=2, k=6),
        Invalid(ValueError, "far more steps than there are numbers", model=last, x=X, tau=2, k=8),
        Invalid(TypeError, "half a step", model=last, x=X, tau=2, k=1.5),
    )
    edges = (dict(model=last, x=X[:4], tau=2, k=3), dict(model=one_more, x=X[:1], tau=1, k=1))

    def test_one_step_is_the_one_step_prediction(self, impl, case):
        """With k = 1, and in the first column for any k, stand the one-step predictions."""
        truth = sequences.one_step_predictions(case.model, case.x, case.tau)
        found = impl(case)
        return [(impl(case, k=1), truth), (found[:, :1], truth[: len(found)])]

    def test_sees_its_own_predictions(self, impl, case):
        """Predictions behind the first are those that follow when the first is taken for the truth."""
        if case.k < 2:
            return skip_case
        found, rows = impl(case), []
        for i, row in enumerate(found):
            series = torch.cat([case.x[i + 1 : i + case.tau], row[:1], case.x.new_zeros(case.k - 1)])
            rows.append(impl(case, x=series, k=case.k - 1)[0])
        return found[:, 1:], torch.stack(rows) if rows else found[:, 1:]

    def test_sees_no_later_truth(self, impl, case):
        """Another future changes no prediction of the first window."""
        other = torch.cat([case.x[: case.tau], case.x[case.tau :] * 2 + 1])
        return (impl(case, x=other)[0], impl(case)[0]) if len(impl(case)) else skip_case

    def test_counts_on(self, impl, case):
        """The model that adds one counts on from the last true number: by 1, 2, … k."""
        start = case.x[case.tau - 1 : len(case.x) - case.k, None]
        steps = torch.ones_like(start)
        columns = []
        for _ in range(case.k):
            start = start + steps
            columns.append(start)
        return impl(case, model=one_more), torch.cat(columns, 1)


@dataclass(frozen=True)
class Joint:
    """Conditionals of a distribution over all sequences of ``length`` out of three tokens, for one direction."""

    length: int
    direction: str

    @staticmethod
    def weight(tokens):
        """How likely a sequence is, up to a factor."""
        return 1 + sum((2 * i + 1) * t * (t + i) for i, t in enumerate(tokens)) % 7

    def log_probability(self, tokens):
        """Of a whole sequence."""
        every = product(range(3), repeat=self.length)
        return math.log(self.weight(tokens) / sum(map(self.weight, every)))

    def __call__(self, token, context):
        def share(known):
            rest = product(range(3), repeat=self.length - len(known))
            if self.direction == "forward":
                return sum(self.weight((*known, *more)) for more in rest)
            return sum(self.weight((*more, *known)) for more in rest)

        longer = (*context, token) if self.direction == "forward" else (token, *context)
        return math.log(share(longer) / share(context))


class Listening:
    """A source that remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, token, context):
        self.asked.append((token, tuple(context)))
        return -1.0


def too_likely(token, context):
    """A source with a probability above 1."""
    return 0.5


def too_likely_later(token, context):
    """A source with a probability above 1 behind the first token."""
    return 0.5 if context else -1.0


def certain(token, context):
    """A source that knows what comes."""
    return 0.0


def undefined(token, context):
    """A source that does not know."""
    return math.nan


class TestJointLogProbability(Spec):
    component = sequences.joint_log_probability
    cases = domains.joint_log_probability
    extremes = domains.joint_log_probability_extremes
    declines = {law: reason for law, reason in WITHOUT_TENSORS.items() if law != "extremes_stay_finite"}
    invalid = (
        Invalid(ValueError, "a probability above 1", tokens=[0, 1], conditional=too_likely),
        Invalid(ValueError, "a later probability above 1", tokens=[0, 1], conditional=too_likely_later),
        Invalid(ValueError, "nan in place of a probability", tokens=[0, 1], conditional=undefined),
        Invalid(ValueError, "a direction of no one", tokens=[0], conditional=domains.Source(), direction="upward"),
        Invalid(ValueError, "a negative order", tokens=[0, 1], conditional=domains.Source(), order=-1),
        Invalid(TypeError, "half an order", tokens=[0, 1], conditional=domains.Source(), order=0.5),
    )
    edges = (
        dict(tokens=[], conditional=domains.Source()),
        dict(tokens=[1], conditional=domains.Source(), order=0),
        dict(tokens=[1, 0], conditional=certain),
    )

    def test_either_direction_gives_the_joint_probability(self, impl, case):
        """The chain rule from the front and from the back gives the probability that the whole sequence has."""
        tokens = [*case.tokens, 2, 1][:3]
        pairs = []
        for direction in ("forward", "backward"):
            joint = Joint(len(tokens), direction)
            found = impl.call(tokens=tokens, conditional=joint, direction=direction)
            pairs.append((found, joint.log_probability(tokens)))
        return pairs

    def test_each_token_is_asked_for_with_its_context(self, impl, case):
        """Every token is asked for once, with the tokens before it (or behind it), as many as the order says."""
        source = Listening()
        found = impl(case, conditional=source)
        tokens, order = tuple(case.tokens), len(case.tokens) if case.order is None else case.order
        expected = []
        for t, token in enumerate(tokens):
            before, behind = tokens[:t], tokens[t + 1 :]
            context = before[len(before) - min(order, len(before)) :] if case.direction == "forward" else behind[:order]
            expected.append((token, context))
        require(sorted(source.asked) == sorted(expected), f"it was asked for {source.asked}, expected {expected}")
        # Each factor is exp(−1).
        return found, -float(len(tokens))

    def test_order_of_a_markov_source_suffices(self, impl, case):
        """Of a source that looks at the nearest token alone, order 1 says all that the whole context says."""
        near = -1 if case.direction == "forward" else 0
        source = domains.Source()

        def markov(token, context):
            return source(token, context[near:][:1] if context else ())

        return impl(case, conditional=markov, order=1), impl(case, conditional=markov, order=None)

    def test_order_zero_takes_tokens_for_independent(self, impl, case):
        """With order 0 the order of the tokens does not matter, up to rounding."""
        source, tokens = domains.Source(), list(case.tokens)
        truth = math.fsum(source(token, ()) for token in tokens)
        return [(impl(case, tokens=given, conditional=source, order=0), truth) for given in (tokens, tokens[::-1])]

    def test_what_cannot_be_has_probability_zero(self, impl, case):
        """A sequence with one impossible token has the logarithm −∞, not nan and no error."""
        found = impl(case, tokens=[*case.tokens, 2], conditional=domains.Source(impossible=2))
        require(found == -math.inf, f"it is {found}")


class TestSineSeries(Spec):
    component = sequences.sine_series
    cases = domains.sine_series
    declines = WITHOUT_TENSORS | {
        "agrees_with_reference": "libraries have streams of their own: a seed does not stand for the same noise in all of "
        "them; 'without noise it is the sine' and 'noise has its distribution' judge it",
        "repeated_calls_agree": "the noise is not the reference's; 'same seed same series' says it of the implementation's own",
    }
    invalid = (
        Invalid(ValueError, "a negative length", T=-1, noise_std=0.2, seed=0),
        Invalid(ValueError, "a negative deviation", T=5, noise_std=-0.2, seed=0),
        Invalid(TypeError, "half a number", T=2.5, noise_std=0.2, seed=0),
        Invalid(TypeError, "no seed", T=5, noise_std=0.2, seed=None),
    )
    edges = (dict(T=0, noise_std=0.2, seed=0), dict(T=1, noise_std=0.0, seed=0))

    def test_without_noise_it_is_the_sine(self, impl, case):
        """Without noise x_t is sin(0.01 t) for t = 1 … T."""
        return impl(case, noise_std=0.0), self._sine(case.T).float()

    def test_noise_has_its_distribution(self, impl):
        """What 1e5 numbers differ from the sine by is normal with the stated deviation, and independent, for two seeds."""
        for seed, std in zip(SEEDS, (3.0, published.NOTE_004_NOISE), strict=True):
            noise = impl.call(T=100_000, noise_std=std, seed=seed).double() - self._sine(100_000)
            check_sample(noise, scipy.stats.norm(0, std), f"noise of {std}, seed {seed}")

    def test_noise_has_tails(self, impl):
        """Of 1e5 numbers as many lie beyond 3.1 deviations, on either side, as of a normal distribution."""
        noise = impl.call(T=100_000, noise_std=3.0, seed=SEEDS[0]).double() - self._sine(100_000)
        beyond = scipy.stats.norm.sf(3.1)
        low, high = (int(end) for end in scipy.stats.binom.ppf((ALARM / 4, 1 - ALARM / 4), len(noise), beyond))
        for side in (-1, 1):
            count = int((side * noise > 3.1 * 3.0).sum())
            require(low <= count <= high, f"{count} numbers lie beyond 3.1 deviations; chance allows {low} to {high}")

    def test_same_seed_same_series(self, impl, case):
        """The same seed gives the same numbers again, also after a call with another seed."""
        first = impl(case)
        impl(case, seed=case["seed"] + 1)
        require(torch.equal(first, impl(case)), "the same seed gives other numbers at a later call")

    def test_another_seed_another_noise(self, impl):
        """Noise of different seeds knows nothing of each other: 2000 products of signs have a mean near 0."""
        noise = [(impl.call(T=2000, noise_std=1.0, seed=seed).double() - self._sine(2000)).sign() for seed in (5, 6)]
        found, limit = float((noise[0] * noise[1]).mean()), math.sqrt(2 * math.log(2 / ALARM) / 2000)
        require(abs(found) <= limit, f"noise of seeds 5 and 6 goes together, {found:.3f}; chance allows ±{limit:.3f}")

    def test_noise_grows_with_its_deviation(self, impl, case):
        """Of one seed, twice the deviation is twice the noise."""
        # With the sine on both sides: a difference of noises would have lost the digits that the sums have.
        return impl(case, noise_std=2.0) + self._sine(case.T).float(), 2 * impl(case, noise_std=1.0)

    @staticmethod
    def _sine(T):
        return torch.sin(torch.arange(1, T + 1).double() / 100)
