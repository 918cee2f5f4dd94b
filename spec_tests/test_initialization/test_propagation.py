"""What weights do to signals and gradients in depth."""

import math

import torch

from lawbook.fixtures.cases import initialization as domains
from lawbook.fixtures.published import initialization as published
from lawbook.reference import initialization
from lawbook.spec_tests.spec import Invalid, Spec, require, skip_case
from lawbook.spec_tests.test_initialization.laws import ALARM, STOCHASTIC, ratio_limits

SMALL = dict(depth=2, width=3, init="normal", seed=0)
DEPTH, WIDTH, SAMPLES = published.NOTE_004_DEPTH, 400, 20


def growth(variances):
    """From the first layer to the last."""
    return float(variances[-1] / variances[0])


class TestActivationVariances(Spec):
    component = initialization.activation_variances
    cases = domains.activation_variances
    declines = {name: reason for name, reason in STOCHASTIC.items() if name != "low_precision"} | {
        "low_precision": "no argument is a tensor, and the result is float64"
    }
    prerequisites = ("xavier_normal", "kaiming_normal")
    edges = (
        dict(depth=1, width=1, init="normal", activation="sigmoid", seed=0, std=0.0, samples=1),
        dict(depth=3, width=1, init="normal", activation="tanh", seed=0, std=0.0, samples=1),
        dict(depth=2, width=5, init="normal", activation="relu", seed=0, std=0.0, samples=2),
    )
    invalid = (
        Invalid(ValueError, "no layer", **{**SMALL, "depth": 0}),
        Invalid(ValueError, "no unit", **{**SMALL, "width": 0}),
        Invalid(ValueError, "no sample", **SMALL, samples=0),
        Invalid(ValueError, "an unknown rule", **{**SMALL, "init": "lucky"}),
        Invalid(ValueError, "an unknown activation", **SMALL, activation="step"),
        Invalid(ValueError, "a negative deviation", **SMALL, std=-1.0),
        Invalid(TypeError, "no seed", **{**SMALL, "seed": None}),
    )

    def test_same_seed_same_variances(self, impl, case):
        """The same seed gives the same bits again, also after a call with another seed."""
        first = impl(case)
        impl(case, seed=case["seed"] + 1)
        require(torch.equal(impl(case), first), "the same seed gives other values at a later call")

    def test_another_seed_another_network(self, impl, case):
        """Another seed gives other variances (not asked of relu, which may leave nothing of two small networks)."""
        if case.activation == "relu":
            case = case.but(activation="linear")
        require(not torch.equal(impl(case), impl(case, seed=case["seed"] + 1)), "two seeds give the same variances")

    def test_variances_are_neither_negative_nor_beyond_the_activation(self, impl, case):
        """A mean of squares is at least 0, and at most 1 behind tanh and sigmoid."""
        found = impl(case)
        require(bool((found >= 0).all()), f"a mean of squares is {float(found.min())}")
        if case.activation in ("tanh", "sigmoid"):
            require(bool((found <= 1).all()), f"{case.activation} lets a mean square of {float(found.max())} through")

    def test_a_factor_on_the_weights_is_a_power_of_it(self, impl, case):
        """Three times the deviation, at the same seed, multiplies layer t's variance by 9^t (linear and relu)."""
        if case.activation not in ("linear", "relu"):
            case = case.but(activation="relu")
        case = case.but(init="normal")
        layer = torch.arange(1, case.depth + 1, dtype=torch.float64)
        per_layer = (case.std**2 * case.width) ** layer
        one, three = impl(case), impl(case, std=3 * case.std)
        return three / per_layer, one / per_layer * 9**layer

    def test_deviation_matters_to_normal_alone(self, impl, case):
        """Rules that find the deviation themselves take no notice of ``std``."""
        if case.init == "normal":
            return skip_case
        require(torch.equal(impl(case), impl(case, std=7.0)), f"std changes the result of {case.init}")

    def test_rectifier_halves_what_linear_keeps(self, impl):
        """Behind relu, Xavier's weights lose half of the mean square a layer, which Kaiming's √2 gives back.

        Limits as in ``ratio_limits``, with the mean square brought back by 2 a layer.
        """
        few = dict(depth=DEPTH, width=WIDTH, activation="relu", seed=3, samples=SAMPLES)
        low, high = ratio_limits(WIDTH, DEPTH - 1, SAMPLES, rectified=True)
        kept = growth(impl.call(init="kaiming_normal", **few))
        require(
            low <= kept <= high,
            f"kaiming_normal: the mean square grew by {kept:.3g}, chance allows {low:.3g} … {high:.3g}",
        )
        lost = growth(impl.call(init="xavier_normal", **few)) * 2 ** (DEPTH - 1)
        require(
            low <= lost <= high,
            f"xavier_normal: {lost:.3g} times 2 ** -{DEPTH - 1}, chance allows {low:.3g} … {high:.3g}",
        )

    def test_uniform_weights_keep_it_too(self, impl):
        """Uniform weights of Xavier's variance keep a linear signal over two layers, of Kaiming's a rectified one.

        A layer multiplies the mean square by R, a mean over units of independent terms: a unit's is a convex combination
        of squares (w·u)² with |u| = 1, whose mean square is at most 3, as the fourth moment of uniform weights is below
        the normal one. For nonnegative terms (1 + …)/width of mean 1 the chance of R ≤ 1 − t is below
        exp(−width t² / 6); rectified ones have at most twice that mean square, 6, and exp(−width t² / 12). Upwards (w·u)² has
        at most the normal moments, which the rectified second moment does not exceed either: R ≥ 1 + t has a chance below
        that of χ²(width)/width by Chernoff's bound, exp(−width (t − ln(1 + t)) / 2), or with width/2 when rectified.
        """
        chance = math.log(8 / ALARM)
        for init, activation, share in (("xavier_uniform", "linear", 1), ("kaiming_uniform", "relu", 2)):
            width = 2000
            found = impl.call(depth=3, width=width, init=init, activation=activation, seed=4, samples=5)
            fall = math.sqrt(6 * share * chance / width)
            rise = next(
                t / 1000 for t in range(1, 10_000) if width / share * (t / 1000 - math.log1p(t / 1000)) / 2 > chance
            )
            for layer in (1, 2):
                ratio = float(found[layer] / found[layer - 1])
                require(
                    1 - fall <= ratio <= 1 + rise,
                    f"{init}, {activation}: the mean square changes by {ratio:.3f} in a layer, "
                    f"chance allows {1 - fall:.3f} … {1 + rise:.3f}",
                )

    def test_every_layer_has_weights_of_its_own(self, impl):
        """In a linear chain of single units each layer multiplies the mean square by its own weight's square.

        That of six drawn anew all five ratios agree within a millionth has a chance below 1e-20.
        """
        found = impl.call(depth=6, width=1, init="normal", seed=1, samples=3)
        ratios = (found[1:] / found[:-1]).double()
        spread = float(ratios.max() / ratios.min())
        require(spread > 1 + 1e-6, f"every layer multiplies the mean square by {float(ratios[0]):.6g}: by one weight")

    def test_published_xavier_keeps_the_variance(self, impl):
        """Over 50 linear layers of 400 units Xavier's weights keep the variance; see ``ratio_limits`` for how well."""
        low, high = ratio_limits(WIDTH, DEPTH - 1, SAMPLES)
        found = growth(impl.call(depth=DEPTH, width=WIDTH, init="xavier_normal", seed=1, samples=SAMPLES))
        require(low <= found <= high, f"the variance grew by {found:.3g}, chance allows {low:.3g} … {high:.3g}")

    def test_published_unit_normal_explodes(self, impl):
        """Weights N(0, 1) multiply the variance by the width in every layer: 400⁴⁹ ≈ 3e127 over 50."""
        self._grows_by(impl, 1.0)

    def test_published_small_normal_vanishes(self, impl):
        """Weights 0.01 · N(0, 1) multiply the variance by width / 10⁴ in every layer: 0.04⁴⁹ ≈ 3e-69 over 50."""
        self._grows_by(impl, published.NOTE_004_SMALL_STD)

    def _grows_by(self, impl, std):
        low, high = ratio_limits(WIDTH, DEPTH - 1, SAMPLES)
        variances = impl.call(depth=DEPTH, width=WIDTH, init="normal", std=std, seed=2, samples=SAMPLES)
        found, expected = float((variances[-1] / variances[0]).log10()), (DEPTH - 1) * math.log10(WIDTH * std**2)
        require(
            expected + math.log10(low) <= found <= expected + math.log10(high),
            f"the variance grew by 10 ** {found:.2f}, expected about 10 ** {expected:.2f}",
        )


def ramp(*shape):
    """1, 2, 3, … as floating numbers of that shape."""
    return torch.arange(1, math.prod(shape) + 1, dtype=torch.float64).reshape(shape)


class TestGradientNormProduct(Spec):
    component = initialization.gradient_norm_product
    cases = domains.gradient_norm_product
    differentiable = ("weights", "activations")
    extremes = domains.gradient_norm_product_extremes
    edges = (
        dict(weights=[ramp(1, 1)], activations=None),
        dict(weights=[ramp(2, 3), ramp(1, 2)], activations=[ramp(2), ramp(1)]),
        dict(weights=[torch.zeros(2, 2), ramp(3, 2)], activations=None),
        dict(weights=[torch.zeros(2, 0), ramp(3, 2)], activations=None),
        dict(weights=[ramp(2, 2), ramp(3, 2)], activations=[torch.zeros(2), ramp(3)]),
    )
    invalid = (
        Invalid(ValueError, "no weight", weights=[], activations=None),
        Invalid(ValueError, "weights that do not fit together", weights=[ramp(2, 3), ramp(4, 5)], activations=None),
        Invalid(ValueError, "fewer slopes than weights", weights=[ramp(2, 3), ramp(4, 2)], activations=[ramp(2)]),
        Invalid(ValueError, "slopes of other units", weights=[ramp(2, 3)], activations=[ramp(3)]),
        Invalid(ValueError, "one slope for all units", weights=[ramp(2, 3)], activations=[ramp(1)]),
        Invalid(ValueError, "a weight of three axes", weights=[ramp(2, 3, 2)], activations=None),
    )

    def rows(self, case):
        # Norms of different depth say nothing about each other.
        return ()

    def test_last_norm_is_the_last_layers_own(self, impl, case):
        """The gradient with respect to the last layer's input has one factor, diag(s) W."""
        last = case.weights[-1]
        if case.activations is not None:
            last = case.activations[-1][:, None] * last
        return impl(case)[-1:], last.norm().reshape(1)

    def test_lower_layers_do_not_matter_to_upper_ones(self, impl, case):
        """Leaving out the first layer leaves the other layers' norms as they are."""
        if len(case.weights) == 1:
            return skip_case
        upper = None if case.activations is None else case.activations[1:]
        return impl(case)[1:], impl(case, weights=case.weights[1:], activations=upper)

    def test_missing_slopes_are_ones(self, impl, case):
        """Linear layers have the slope 1 everywhere."""
        ones = [weight.new_ones(len(weight)) for weight in case.weights]
        return impl(case, activations=None), impl(case, activations=ones)

    def test_a_factor_on_a_layer_is_one_on_every_gradient_below(self, impl, case):
        """Half the weights in one layer halve the gradients of that layer's input and of those before it."""
        at = case.seed % len(case.weights)
        halved = [weight / 2 if index == at else weight for index, weight in enumerate(case.weights)]
        factors = torch.tensor([0.5] * (at + 1) + [1.0] * (len(case.weights) - at - 1), dtype=case.dtype)
        return impl(case, weights=halved), impl(case) * factors

    def test_is_the_norm_of_the_jacobian(self, impl, case):
        """It is the norm of the output's derivative along every input, for layers with these slopes."""
        weights = [weight.double() for weight in case.weights]
        slopes = [w.new_ones(len(w)) for w in weights] if case.activations is None else case.activations
        norms = []
        for start in range(len(weights)):
            columns = []
            for unit in torch.eye(weights[start].shape[1], dtype=torch.float64):
                for weight, slope in zip(weights[start:], slopes[start:], strict=True):
                    unit = slope.double() * (weight @ unit)
                columns.append(unit)
            norms.append(torch.stack(columns).norm())
        return impl(case), torch.stack(norms).to(case.dtype)

    def test_a_dead_layer_stops_all_gradients_below(self, impl, case):
        """Where all units of a layer are saturated or off, slope 0, every gradient below is 0 and none is nan."""
        slopes = [weight.new_ones(len(weight)) for weight in case.weights]
        at = case.seed % len(slopes)
        slopes[at] = torch.zeros_like(slopes[at])
        found = impl(case, activations=slopes)[: at + 1]
        require(bool((found == 0).all()), f"gradients below a dead layer are {found.tolist()}")

    def test_published_products_of_note_004(self, impl):
        """A hundred factors of 1.5 make 4e17, of 0.8 they make 2e-10."""
        for factor, printed in (published.NOTE_004_EXPLODING, published.NOTE_004_VANISHING):
            found = float(self._chain(impl, factor, torch.float32)[0])
            require(f"{found:.0e}" == printed, f"{factor} ** 100 came out as {found:.3e}, expected {printed}")

    def test_published_range_of_float16(self, impl):
        """float16 holds 6e-5 … 6e4: there 1.5¹⁰⁰ is infinite, and 0.8¹⁰⁰ lies below the smallest normal number.

        It need not be zero: 0.8 times the two smallest numbers of float16 is rounded to these numbers again.
        """
        smallest, largest = published.NOTE_004_FLOAT16
        limits = torch.finfo(torch.float16)
        require(f"{limits.tiny:.0e}" == smallest, f"the smallest normal number of float16 is {limits.tiny:.3e}")
        require(largest <= limits.max < largest + 1e4, f"the largest number of float16 is {limits.max}")
        exploded = self._chain(impl, published.NOTE_004_EXPLODING[0], torch.float16)
        vanished = self._chain(impl, published.NOTE_004_VANISHING[0], torch.float16)
        require(math.isinf(float(exploded[0])), f"1.5 ** 100 is {float(exploded[0])} in float16, expected infinity")
        lost = 0 <= float(vanished[0]) < limits.tiny
        require(lost, f"0.8 ** 100 is {float(vanished[0])} in float16, expected less than {limits.tiny:.3e}")

    def _chain(self, impl, factor, dtype):
        weights = [torch.full((1, 1), factor, dtype=dtype) for _ in range(published.NOTE_004_FACTORS)]
        return impl.call(weights=weights, activations=None)
