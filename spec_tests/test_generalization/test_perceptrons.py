"""The perceptron, its training, and networks of several layers."""

from fractions import Fraction

import torch

from lawbook.fixtures.cases import generalization as domains
from lawbook.fixtures.published import generalization as published
from lawbook.reference import generalization
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

UNDECIDED = "in half precision the rounding of a sum decides on which side of the plane a sample is"


def ramp(*shape):
    """Distinct numbers, none of them 0."""
    count = int(torch.tensor(shape).prod())
    return ((torch.arange(count, dtype=torch.float64) - count // 2) / 4 + 0.125).reshape(shape)


def labels(*values):
    return torch.tensor(values, dtype=torch.int64)


class TestPerceptronStep(Spec):
    component = generalization.perceptron_step
    cases = domains.perceptron_step
    differentiable = ("w", "x")
    # A sample of nan is on neither side: the formula leaves the weights alone, descent makes them nan.
    nan_arguments = ("w",)
    extremes = domains.perceptron_step_extremes
    edges = (dict(w=ramp(0), x=ramp(0), y=1), dict(w=ramp(1), x=ramp(1), y=-1), dict(w=torch.zeros(1), x=ramp(1), y=1))
    invalid = (
        Invalid(ValueError, "a sample of another size", w=ramp(3), x=ramp(2), y=1),
        Invalid(ValueError, "several samples", w=ramp(3), x=ramp(2, 3), y=1),
        Invalid(TypeError, "whole numbers for weights", w=labels(1, 2), x=labels(1, 2), y=1),
    )
    prerequisites = ("perceptron_loss",)

    def test_a_sample_on_its_side_changes_nothing(self, impl, case):
        """Where y⟨w, x⟩ > 0 the weights come back bit by bit."""
        # Along the sample, every term of the sum has the sign of the class.
        x = torch.where(case.x == 0, 1.0, case.x)
        w = case.y * x
        require(torch.equal(impl(case, w=w, x=x), w), "the weights of a sample on its own side are changed")

    def test_a_sample_on_the_boundary_is_added(self, impl, case):
        """From weights of zero the first step goes to y x."""
        found = impl(case, w=torch.zeros_like(case.w))
        require(torch.equal(found, case.y * case.x), f"gave {found.tolist()}, expected {(case.y * case.x).tolist()}")

    def test_a_sample_on_the_wrong_side_is_added(self, impl, case):
        """Where y⟨w, x⟩ < 0 the weights become w + y x."""
        x = torch.where(case.x == 0, 1.0, case.x)
        w = -3 * case.y * x
        return impl(case, w=w, x=x), w + case.y * x

    def test_is_a_step_of_descent_on_the_loss(self, impl, case):
        """The step is w minus the loss's gradient."""
        with torch.enable_grad():
            w = case.w.clone().requires_grad_(True)
            loss = generalization.perceptron_loss(w, case.x[None], labels(case.y)).sum()
            (slope,) = torch.autograd.grad(loss, w)
        return impl(case), case.w - slope

    def test_both_classes_are_mirror_images(self, impl, case):
        """A sample of class y and its negative of class −y make the same step."""
        return impl(case, x=-case.x, y=-case.y), impl(case)


class TestPerceptronLoss(Spec):
    component = generalization.perceptron_loss
    cases = domains.perceptron_loss
    differentiable = ("w", "x")
    twice = True
    extremes = domains.perceptron_loss_extremes
    edges = (
        dict(w=ramp(3), x=ramp(0, 3), y=labels()),
        dict(w=ramp(0), x=ramp(2, 0), y=labels(1, -1)),
        dict(w=ramp(1), x=ramp(1, 1), y=labels(-1)),
    )
    invalid = (
        Invalid(ValueError, "samples of another size", w=ramp(3), x=ramp(2, 4), y=labels(1, -1)),
        Invalid(ValueError, "a class too many", w=ramp(3), x=ramp(2, 3), y=labels(1, -1, 1)),
        Invalid(ValueError, "the classes 0 and 1", w=ramp(3), x=ramp(2, 3), y=labels(0, 1)),
        Invalid(TypeError, "whole numbers for samples", w=labels(1, 2), x=torch.ones(2, 2).long(), y=labels(1, -1)),
    )

    def batch(self, case):
        return Batch(output=0, x=0, y=0)

    def test_one_of_both_classes_has_a_loss(self, impl, case):
        """As one class and as the other, a sample's losses add up to |⟨w, x⟩|."""
        return impl(case) + impl(case, y=-case.y), (case.x @ case.w).abs()

    def test_the_right_class_has_none(self, impl, case):
        """A sample on its own side has the loss 0."""
        w = torch.where(case.w == 0, 1.0, case.w)
        found = impl(case, w=w, x=case.y[:, None] * w)
        require(bool((found == 0).all()), f"gave {found.tolist()}, expected zeros")

    def test_grows_with_the_weights(self, impl, case):
        """Three times the weights give three times the loss."""
        return impl(case, w=3 * case.w), 3 * impl(case)

    def test_slope_on_the_boundary_lets_training_begin(self, impl, case):
        """At weights of zero the gradient is −Σ y x: descent from there moves."""
        zero = torch.zeros_like(case.w)
        _, found = impl.vjp(case, torch.ones(len(case.x), dtype=case.dtype), ("w",), w=zero)
        return found["w"], -(case.y[:, None] * case.x).sum(0)


class TestPerceptronTrain(Spec):
    component = generalization.perceptron_train
    cases = domains.perceptron_train
    differentiable = ("X",)
    declines = {
        "low_precision": UNDECIDED,
        "extremes_stay_finite": "sums of large numbers that cancel are on neither side for certain",
        "nan_not_hidden": "a margin of nan is on neither side: which samples are then added is not defined",
    }
    edges = (
        dict(X=ramp(1, 1), y=labels(1), max_epochs=1),
        dict(X=ramp(2, 0), y=labels(-1, -1), max_epochs=4),
        dict(X=ramp(3, 1), y=labels(-1, -1, 1), max_epochs=50),
    )
    invalid = (
        Invalid(ValueError, "a class too many", X=ramp(2, 3), y=labels(1, -1, 1), max_epochs=3),
        Invalid(TypeError, "half an epoch", X=ramp(2, 3), y=labels(1, -1), max_epochs=1.5),
        Invalid(ValueError, "no epoch", X=ramp(2, 3), y=labels(1, -1), max_epochs=0),
        Invalid(ValueError, "one sample without its axis", X=ramp(3), y=labels(1, -1, 1), max_epochs=3),
    )
    prerequisites = ("perceptron_step",)

    def test_mistakes_stay_within_the_bound(self, impl, case):
        """On data that (w*, b*) separates by ρ within radius r there are at most (r² + 1) / ρ² mistakes, and none is left.

        Samples and plane are whole numbers, so that every margin, and the bound, is exact.
        """
        gen = case.generator(5)
        size = 1 + case.seed % 3
        plane = torch.randint(-3, 4, (size + 1,), generator=gen)
        plane[0] = plane[0] or 2
        X = torch.randint(-4, 5, (24, size), generator=gen)
        margins = X @ plane[:-1] + plane[-1]
        X, margins = X[margins != 0][:9], margins[margins != 0][:9]
        if not len(X):
            return self.skip
        y = torch.where(margins > 0, 1, -1)
        squared_radius = int((X * X).sum(1).max())
        # The plane is scaled to unit length: ρ is the least margin over its norm.
        bound = Fraction((squared_radius + 1) * int((plane * plane).sum()), int(margins.abs().min()) ** 2)
        X = X.to(case.dtype)
        w, mistakes = impl(case, X=X, y=y, max_epochs=int(bound) + 2)
        require(mistakes <= bound, f"{mistakes} mistakes, the bound is {float(bound):.6g}")
        found = y * (X @ w[:-1] + w[-1])
        require(bool((found > 0).all()), f"samples {(found <= 0).nonzero().flatten().tolist()} are on the wrong side")

    def test_weights_are_a_sum_of_samples(self, impl, case):
        """With one sample of class y the weights are y (x, 1) after one mistake."""
        X, y = case.X[:1], case.y[:1]
        w, mistakes = impl(case, X=X, y=y)
        require(mistakes == 1, f"{mistakes} mistakes on a single sample, expected 1")
        return w, torch.cat([X[0], X.new_ones(1)]) * y

    def test_another_epoch_goes_on_where_the_last_one_stopped(self, impl, case):
        """Two epochs over the data are one epoch over the data twice."""
        twice = impl(case, X=torch.cat([case.X, case.X]), y=torch.cat([case.y, case.y]), max_epochs=1)
        found = impl(case, max_epochs=2)
        require(found[1] == twice[1], f"{found[1]} mistakes in two epochs, {twice[1]} in one over the data twice")
        return found[0], twice[0]

    def test_classes_swapped_swap_the_sides(self, impl, case):
        """With all classes swapped the weights change their sign and the mistakes are as many."""
        w, mistakes = impl(case)
        swapped, as_many = impl(case, y=-case.y)
        require(mistakes == as_many, f"{mistakes} mistakes, {as_many} with all classes swapped")
        return swapped, -w

    def test_xor_is_never_learned(self, impl):
        """On the four corners of XOR every epoch makes a mistake, however many there are."""
        X = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
        for epochs in (1, 10, 50):
            w, mistakes = impl.call(X=X, y=labels(1, 1, -1, -1), max_epochs=epochs)
            require(mistakes >= epochs, f"{mistakes} mistakes in {epochs} epochs")
            wrong = labels(1, 1, -1, -1) * (X @ w[:-1] + w[-1]) <= 0
            require(bool(wrong.any()), f"a plane is said to separate them: {w.tolist()}")


class TestXorNetwork(Spec):
    component = generalization.xor_network
    cases = domains.xor_network
    extremes = domains.xor_network_extremes
    declines = {"nan_not_hidden": "a class is 1 or −1; the sign of nan is not defined"}
    edges = (dict(x1=ramp(0), x2=ramp(0)), dict(x1=ramp(2, 0), x2=ramp(2, 0)), dict(x1=ramp(1, 1), x2=-ramp(1, 1)))
    invalid = (
        Invalid(ValueError, "coordinates of different shapes", x1=ramp(2, 3), x2=ramp(3, 2)),
        Invalid(ValueError, "coordinates that would be broadcast", x1=ramp(2, 3), x2=ramp(3)),
        Invalid(TypeError, "whole numbers", x1=labels(1, 2), x2=labels(1, 2)),
    )

    def batch(self, case):
        return Batch(output=0, x1=0, x2=0) if case.x1.ndim else None

    def test_does_what_no_linear_rule_can(self, impl, case):
        """Of the corners (±a, ±b) opposite ones agree and neighbours differ.

        A linear rule's values before the sign add up to the same over either diagonal, so that they cannot.
        """
        a, b = (torch.where(x == 0, 1.0, x) for x in (case.x1, case.x2))
        first, third, second, fourth = (impl(case, x1=s * a, x2=t * b) for s, t in ((1, 1), (-1, -1), (-1, 1), (1, -1)))
        require(torch.equal(first, third) and torch.equal(second, fourth), "opposite corners are in different classes")
        require(torch.equal(first, -second), "neighbouring corners are in the same class")

    def test_classes_are_one_and_minus_one(self, impl, case):
        """Every result is 1 or −1, on the axes too."""
        for found in (impl(case), impl(case, x1=torch.zeros_like(case.x1))):
            require(bool((found.abs() == 1).all()), f"gave {found.flatten().tolist()}")

    def test_published_quadrants(self, impl):
        """Quadrants one and three are 1, two and four −1."""
        found = impl.call(x1=torch.tensor([1.0, -1.0, -1.0, 1.0]), x2=torch.tensor([1.0, 1.0, -1.0, -1.0]))
        require(found.tolist() == [1.0, -1.0, 1.0, -1.0], f"gave {found.tolist()}")


def _small(**changes):
    return {**dict(X=ramp(2, 3), weights=[ramp(3, 4), ramp(4, 2)], biases=[ramp(4), ramp(2)]), **changes}


class TestMlp(Spec):
    component = generalization.mlp
    cases = domains.mlp
    differentiable = ("X", "weights", "biases")
    twice = True
    extremes = domains.mlp_extremes
    edges = (
        _small(X=ramp(0, 3)),
        _small(X=ramp(2, 0), weights=[ramp(0, 4), ramp(4, 2)]),
        _small(weights=[ramp(3, 0), ramp(0, 2)], biases=[ramp(0), ramp(2)]),
        dict(X=ramp(1, 1), weights=[ramp(1, 1)], biases=[ramp(1)], activation="tanh"),
    )
    invalid = (
        Invalid(ValueError, "a layer that does not fit the one before", **_small(weights=[ramp(3, 4), ramp(3, 2)])),
        Invalid(ValueError, "inputs of another size", **_small(X=ramp(2, 4))),
        Invalid(ValueError, "a bias too few", **_small(biases=[ramp(4)])),
        Invalid(ValueError, "a bias of the inputs' size", **_small(biases=[ramp(3), ramp(2)])),
        Invalid(ValueError, "one bias for all units", **_small(biases=[ramp(1), ramp(2)])),
        Invalid(ValueError, "no layer", X=ramp(2, 3), weights=[], biases=[]),
        Invalid(ValueError, "an unknown activation", **_small(activation="swash")),
        Invalid(TypeError, "whole numbers for X", **_small(X=torch.ones(2, 3).long())),
    )
    prerequisites = ("relu",)

    def batch(self, case):
        return Batch(output=0, X=0)

    def test_without_activation_it_is_one_affine_map(self, impl, case):
        """With the identity for activation, all layers are one layer of W_1 ⋯ W_L and the biases carried through."""
        weight, bias = case.weights[0], case.biases[0]
        for w, b in zip(case.weights[1:], case.biases[1:], strict=True):
            weight, bias = weight @ w, bias @ w + b
        return impl(case, activation="identity"), impl(case, weights=[weight], biases=[bias])

    def test_the_last_layer_is_affine(self, impl, case):
        """Twice the last weights and biases give twice the result: no activation follows them."""
        *weights, last_weight = case.weights
        *biases, last_bias = case.biases
        return impl(case, weights=[*weights, 2 * last_weight], biases=[*biases, 2 * last_bias]), 2 * impl(case)

    def test_layers_run_one_after_the_other(self, impl, case):
        """The last layer applied to the others' activated result is the whole."""
        if len(case.weights) < 2:
            return self.skip
        before = impl(case, weights=case.weights[:-1], biases=case.biases[:-1])
        activated = generalization.perceptrons.ACTIVATIONS[case.activation](before)
        return impl(case), impl(case, X=activated, weights=case.weights[-1:], biases=case.biases[-1:])

    def test_order_of_hidden_units_does_not_matter(self, impl, case):
        """Hidden units in another order, with their weights, give the same result."""
        if len(case.weights) < 2:
            return self.skip
        (first, second, *rest), (bias, *others) = case.weights, case.biases
        weights = [first.flip(1), second.flip(0), *rest]
        return impl(case, weights=weights, biases=[bias.flip(0), *others]), impl(case)

    def test_published_network_of_note_004(self, impl):
        """784 inputs, 256 hidden units, 10 classes: with zero biases and weights of 1, ones become 256 · 784."""
        inputs, hidden, classes = published.NOTE_004_SIZES
        found = impl.call(
            X=torch.ones(2, inputs),
            weights=[torch.ones(inputs, hidden), torch.ones(hidden, classes)],
            biases=[torch.zeros(hidden), torch.zeros(classes)],
        )
        require(tuple(found.shape) == (2, classes), f"gave the shape {tuple(found.shape)}, expected {(2, classes)}")
        require(bool((found == inputs * hidden).all()), f"gave {found[0, 0].item()}, expected {inputs * hidden}")
