"""Laws of linear regression: data, model, loss, its gradient and the solution without descent."""

import math

import torch
from torch import ones, zeros

from lawbook.fixtures.cases import optimization as domains
from lawbook.fixtures.published import optimization as published
from lawbook.reference import losses, optimization
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require, skip_case

OWN_STREAM = "the numbers drawn for a seed are each library's own; own laws judge shape, structure and distribution"


class TestSyntheticLinearData(Spec):
    component = optimization.synthetic_linear_data
    cases = domains.synthetic_linear_data
    declines = {
        "agrees_with_reference": OWN_STREAM,
        "gradient_agrees": OWN_STREAM,
        "repeated_calls_agree": OWN_STREAM,
        "memory_layout": OWN_STREAM,
        "low_precision": OWN_STREAM,
        "edge_sizes": OWN_STREAM,
        "accelerator_agrees": OWN_STREAM,
        "extremes_stay_finite": "normal features times any weights are finite but for overflow of the dtype itself",
    }
    invalid = (
        Invalid(TypeError, "whole numbers for the weights", w=ones(2).long(), b=0.5, n=3),
        Invalid(ValueError, "weights for two labels", w=ones(3, 2), b=0.5, n=3),
        Invalid(ValueError, "a negative number of samples", w=ones(2), b=0.5, n=-1),
        Invalid(ValueError, "a negative standard deviation", w=ones(2), b=0.5, n=3, noise_std=-1.0),
    )

    def test_labels_are_a_column(self, impl, case):
        """X is (n, d) and y is (n, 1), whether w is a row or a column; also for no sample and for one."""
        for n in (0, 1, case.n):
            X, y = impl(case, n=n)
            shapes = tuple(X.shape), tuple(y.shape)
            require(shapes == ((n, len(case.w)), (n, 1)), f"shapes {shapes}, expected {(n, len(case.w))} and {(n, 1)}")

    def test_without_noise_labels_are_exact(self, impl, case):
        """With a deviation of 0 the labels are X w + b."""
        X, y = impl(case, noise_std=0.0)
        return y, X @ case.w.reshape(-1, 1) + case.b

    def test_same_seed_same_data(self, impl, case):
        """A seed gives the same data each time, and another one other data."""
        first, again, other = impl(case, n=5), impl(case, n=5), impl(case, n=5, seed=case.seed + 10)
        require(all(torch.equal(a, b) for a, b in zip(first, again, strict=True)), "the same seed gives other data")
        require(not bool((first[0] == other[0]).any()), "another seed gives features of the first")

    def test_seed_alone_decides_features_and_noise(self, impl, case):
        """Other weights, bias and deviation leave features and noise as they are: y − X w − b grows with the deviation."""
        X, y = impl(case, n=6, noise_std=1.0)
        w = case.noise(case.w.shape)
        other, labels = impl(case, n=6, w=w, b=case.b + 2, noise_std=0.5)
        noise = y - (X @ case.w.reshape(-1, 1) + case.b)
        return [(other, X), (labels, X @ w.reshape(-1, 1) + (case.b + 2) + 0.5 * noise)]

    def test_labels_carry_the_gradient_of_the_weights(self, impl, case):
        """∂y/∂w is X: a cotangent c of the labels gives Xᵀ c."""
        X, y = impl(case)
        c = case.noise(y.shape)
        grads = impl.vjp(case, [torch.zeros_like(X), c], wrt=("w",))[1]
        return grads["w"], (X.T @ c).reshape(case.w.shape)

    def test_features_are_standard_normal(self, impl, case):
        """Mean 0, variance 1, a normal distribution function, no column or row the double of another.

        For N = 16,000 draws a mean beyond 8/√N, a variance beyond the bounds of Laurent and Massart for x = 32, a
        distance of Kolmogorov beyond √(32/2N) (Dvoretzky, Kiefer and Wolfowitz) and a mean product of two columns
        beyond those bounds for their sum and difference have chances below 2e-15, 3e-14, 3e-14 and 6e-14. Three seeds
        are drawn in two laws: a false alarm in fewer than one run in 1e11.
        """
        X, _ = self.drawn(impl, case)
        _require_standard_normal(X, "the features")
        for a, b, sign in ((0, 1, 1), (0, 1, -1)):
            _require_variance((X[:, a] + sign * X[:, b]).double() / math.sqrt(2), "the columns' sum and difference")
        _require_variance((X[1:, 0] + X[:-1, 0]).double()[::2] / math.sqrt(2), "the sums of neighbouring rows")

    def test_noise_is_normal_with_its_deviation(self, impl, case):
        """y − X w − b has mean 0, the deviation asked for and a normal distribution, whatever the features are.

        Chances as for the features.
        """
        X, y = self.drawn(impl, case)
        residual = (y.double() - X.double() @ self.weights(case).double() - 0.5)[:, 0] / 0.25
        _require_standard_normal(residual, "the noise over its deviation")
        for column in X.double().unbind(1):
            for sign in (1, -1):
                _require_variance((column + sign * residual) / math.sqrt(2), "feature and noise, added or subtracted")

    def weights(self, case):
        """A fixed column of two weights."""
        return torch.tensor([[0.5], [-0.25]], dtype=case.dtype)

    def drawn(self, impl, case):
        """Many samples of two features."""
        return impl(case, w=self.weights(case), b=0.5, n=8000, noise_std=0.25, seed=case.seed % 3)

    def test_published_data_of_note_004(self, impl):
        """A thousand samples of the note's weights: least squares on them finds 2, −3.4 and 4.2.

        The estimates' deviation is 0.01/√1000 = 3.2e-4, so that an error of 0.005 has a chance below 1e-50.
        """
        X, y = impl.call(
            w=torch.tensor(published.TRUE_W), b=published.TRUE_B, n=published.SAMPLES, noise_std=published.NOISE
        )
        shapes = tuple(X.shape), tuple(y.shape)
        require(shapes == ((1000, 2), (1000, 1)), f"shapes {shapes}, expected (1000, 2) and (1000, 1)")
        design = torch.cat([X, torch.ones_like(y)], 1).double()
        found = optimization.closed_form_solution(design, y.double())[:, 0].tolist()
        close = all(abs(a - b) < 0.005 for a, b in zip(found, (*published.TRUE_W, published.TRUE_B), strict=True))
        require(close, f"least squares finds {found}")


def _require_standard_normal(x, what):
    x = x.double().flatten()
    n, mean = x.numel(), float(x.mean())
    require(abs(mean) <= 8 / math.sqrt(n), f"the mean of {what} is {mean:.4f}, expected about 0")
    _require_variance(x, what)
    expected = torch.special.ndtr(x.sort().values)
    ranks = torch.arange(n, dtype=torch.float64) / n
    distance = float(torch.maximum(expected - ranks, ranks + 1 / n - expected).max())
    require(
        distance <= math.sqrt(32 / (2 * n)), f"{what} are not normal: distribution functions differ by {distance:.4f}"
    )


def _require_variance(x, what):
    """Sums of squares of n normals lie within n − 2√(32n) and n + 2√(32n) + 64 but for a chance of 2e⁻³²."""
    n, total = x.numel(), float(x.square().sum())
    low, high = n - 2 * math.sqrt(32 * n), n + 2 * math.sqrt(32 * n) + 64
    require(low <= total <= high, f"the mean square of {what} is {total / n:.3f}, expected about 1")


class TestLinearRegression(Spec):
    component = optimization.linear_regression
    cases = domains.linear_regression
    extremes = domains.linear_regression_extremes
    differentiable = ("X", "w", "b")
    twice = True
    edges = (
        {"X": zeros(0, 2), "w": ones(2), "b": ones(1)},
        {"X": zeros(3, 0), "w": zeros(0), "b": ones(1)},
        {"X": ones(1, 1), "w": ones(1, 1), "b": ones(())},
    )
    invalid = (
        Invalid(ValueError, "weights for another number of features", X=ones(3, 2), w=ones(3), b=ones(1)),
        Invalid(ValueError, "weights with three axes", X=ones(3, 2), w=ones(2, 2, 1), b=ones(1)),
        Invalid(ValueError, "a bias for each sample", X=ones(3, 2), w=ones(2), b=ones(3)),
        Invalid(ValueError, "a bias for each of two samples", X=ones(2, 2), w=ones(2), b=ones(2)),
        Invalid(ValueError, "a bias without elements", X=ones(1, 2), w=ones(2), b=ones(0)),
        Invalid(TypeError, "whole numbers for the features", X=ones(3, 2).long(), w=ones(2), b=ones(1)),
    )

    def batch(self, case):
        return Batch(output=0, X=0)

    def test_zero_features_give_the_bias(self, impl, case):
        """Without features only the bias is left."""
        found = impl(case, X=torch.zeros_like(case.X))
        return found, torch.zeros_like(found) + case.b

    def test_is_affine_in_the_features(self, impl, case):
        """f(½ x + ½ z) = ½ f(x) + ½ f(z)."""
        z = case.noise(case.X.shape)
        return impl(case, X=0.5 * case.X + 0.5 * z), 0.5 * impl(case) + 0.5 * impl(case, X=z)

    def test_is_affine_in_the_parameters(self, impl, case):
        """Parameters add up: f(w + v, b + c) = f(w, b) + f(v, c)."""
        v, c = case.noise(case.w.shape), case.noise(case.b.shape, 1)
        return impl(case, w=case.w + v, b=case.b + c), impl(case) + impl(case, w=v, b=c)

    def test_units_give_the_weights(self, impl, case):
        """A sample with one feature of 1 and else 0 gives that feature's weight and the bias."""
        found = impl(case, X=torch.eye(len(case.w), dtype=case.dtype))
        return found, case.w + case.b

    def test_column_of_ones_is_the_bias(self, impl, case):
        """A feature that is always 1 with the bias for its weight takes the bias's place."""
        bias = case.b.expand(case.w.shape[1:]) if case.w.ndim == 2 else case.b.reshape(())
        X = torch.cat([case.X, torch.ones_like(case.X[:, :1])], 1)
        w = torch.cat([case.w, bias[None]])
        return impl(case, X=X, w=w, b=torch.zeros_like(case.b)), impl(case)


class TestSquaredLoss(Spec):
    component = optimization.squared_loss
    cases = domains.squared_loss
    extremes = domains.squared_loss_extremes
    differentiable = ("y_hat", "y")
    twice = True
    edges = (
        {"y_hat": zeros(0, 1), "y": zeros(0)},
        {"y_hat": ones(1, 1), "y": zeros(1)},
        {"y_hat": ones(()), "y": zeros(1)},
    )
    invalid = (
        Invalid(ValueError, "labels for fewer samples", y_hat=ones(3, 1), y=zeros(2)),
        Invalid(TypeError, "whole numbers for both", y_hat=ones(3).long(), y=zeros(3).long()),
        Invalid(ValueError, "one label for all", y_hat=ones(3, 1), y=zeros(1)),
        Invalid(ValueError, "samples and outputs exchanged", y_hat=ones(2, 3), y=zeros(3, 2)),
    )

    def test_column_meets_row_element_by_element(self, impl, case):
        """(n, 1) against (n,) gives n losses in the shape of the prediction, not n × n."""
        y = case.y.flatten()
        column = impl(case, y_hat=case.y_hat.reshape(-1, 1), y=y)
        require(tuple(column.shape) == (len(y), 1), f"shape {tuple(column.shape)}, expected {(len(y), 1)}")
        return column.flatten(), impl(case, y_hat=case.y_hat.flatten(), y=y)

    def test_half_of_the_square(self, impl, case):
        """It is half of the squared error of each element."""
        y = case.y.reshape(case.y_hat.shape)
        return impl(case), losses.mse_loss(case.y_hat, y, "none") / 2

    def test_gradient_is_the_error(self, impl, case):
        """The ½ cancels the exponent: ∂l/∂y_hat = y_hat − y, and ∂l/∂y is its opposite."""
        grads = impl.vjp(case, [torch.ones_like(case.y_hat)], wrt=("y_hat", "y"))[1]
        error = case.y_hat - case.y.reshape(case.y_hat.shape)
        return [(grads["y_hat"], error), (grads["y"], -error.reshape(case.y.shape))]

    def test_a_perfect_prediction_costs_nothing(self, impl, case):
        """Equal values cost exactly 0."""
        cost = impl(case, y_hat=case.y.reshape(case.y_hat.shape))
        require(bool((cost == 0).all()), f"a perfect prediction costs {cost.max().item()}, expected 0")


class TestClosedFormSolution(Spec):
    component = optimization.closed_form_solution
    cases = domains.closed_form_solution
    differentiable = ("X", "y")
    edges = (
        {"X": torch.tensor([[2.0]]), "y": torch.tensor([3.0])},
        {"X": torch.tensor([[1.0], [2.0]]), "y": torch.tensor([[3.0, 1.0], [0.5, 2.0]])},
        # Columns at right angles and of one length: all singular values are equal.
        {"X": torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), "y": torch.tensor([1.0, 3.0, -1.0])},
    )
    invalid = (
        Invalid(ValueError, "labels for fewer samples", X=ones(3, 2), y=ones(2)),
        Invalid(ValueError, "labels with three axes", X=ones(3, 2), y=ones(3, 3, 1)),
        Invalid(TypeError, "whole numbers", X=ones(3, 2).long(), y=ones(3).long()),
    )
    declines = {
        "low_precision": "matrices are factored in float32 and float64 only, here as in the libraries",
        "nan_not_hidden": "a factorization of a matrix with a nan may raise, or give nan in other places",
        "extremes_stay_finite": "the solution grows with the condition of the matrix, not with its values",
    }
    prerequisites = ("linear_regression", "squared_loss")

    def rows(self, case):
        return 0

    def test_gradient_agrees(self, impl, case):
        """The derivative with respect to features and labels is the reference's, where the rank is full."""
        if _dependent(case.X):
            # The solution jumps where columns stop depending on each other.
            return skip_case
        return super().test_gradient_agrees(impl, case)

    def test_normal_equations_hold(self, impl, case):
        """What is left over is orthogonal to every column: Xᵀ X w = Xᵀ y."""
        return case.X.T @ (case.X @ impl(case)), case.X.T @ case.y

    def test_exact_labels_are_found_again(self, impl, case):
        """Labels X w without noise are met exactly, whether or not the columns depend on each other."""
        w = case.noise((case.X.shape[1], *case.y.shape[1:]))
        return case.X @ impl(case, y=case.X @ w), case.X @ w

    def test_zero_features_have_zero_weights(self, impl, case):
        """What the features cannot explain is left alone: from nothing but zeros the weights are 0."""
        found = impl(case, X=torch.zeros_like(case.X))
        require(bool((found == 0).all()), f"features of 0 have weights {found.tolist()}")

    def test_is_the_shortest_minimizer(self, impl, case):
        """Of two equal columns each has half the weight: no shorter one fits as well."""
        X = case.noise((6, 2))
        y = case.noise((6,), 1)
        found = impl(case, X=torch.cat([X, X[:, :1]], 1), y=y)
        single = impl(case, X=torch.stack([math.sqrt(2) * X[:, 0], X[:, 1]], 1), y=y)
        return found, torch.stack([single[0] / math.sqrt(2), single[1], single[0] / math.sqrt(2)])

    def test_dependent_columns_may_stand_in_front(self, impl, case):
        """Zero and equal columns in front hide none of those that follow: a regression with them is the one without."""
        X, y = case.noise((6, 2)), case.noise((6,), 1)
        alone = impl(case, X=X, y=y)
        behind = impl(case, X=torch.cat([torch.zeros_like(X[:, :1]), X], 1), y=y)
        wide = impl(case, X=torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=case.dtype), y=y[:2])
        return [(behind[1:], alone), (wide, torch.stack([y[0] / 2, y[0] / 2, y[1]]))]

    def test_is_linear_in_the_labels(self, impl, case):
        """Solutions add up as the labels do."""
        other = case.noise(case.y.shape)
        return impl(case, y=case.y + 2 * other), impl(case) + 2 * impl(case, y=other)

    def test_every_column_of_labels_is_solved_alone(self, impl, case):
        """Several numbers a sample are several regressions."""
        y = case.y[:, None] if case.y.ndim == 1 else case.y
        found = impl(case, y=torch.cat([y, y.flip(1) + 1], 1))
        return found, torch.stack([impl(case, y=column) for column in torch.cat([y, y.flip(1) + 1], 1).unbind(1)], 1)

    def test_descent_ends_there(self, impl, case):
        """At the solution the gradient of the mean squared loss is 0, so that descent stays."""
        y = case.y if case.y.ndim == 1 else case.y[:, 0]
        w, everything = impl(case, y=y), torch.arange(len(y))
        slope, _ = optimization.minibatch_gradient(case.X, y, w, torch.zeros_like(y[:1]), everything)
        return slope + case.X.T @ y / len(y), case.X.T @ y / len(y)


def _dependent(X):
    return int(torch.linalg.matrix_rank(X.double())) < min(X.shape)


class TestMinibatchGradient(Spec):
    component = optimization.minibatch_gradient
    cases = domains.minibatch_gradient
    extremes = domains.minibatch_gradient_extremes
    differentiable = ("X", "y", "w", "b")
    twice = True
    edges = (
        {
            **dict(X=ones(2, 1), w=ones(1), b=ones(1)),
            "y": torch.tensor([1.0, 3.0]),
            "batch": torch.tensor([0, 1]).to(torch.uint8),
        },
        {"X": ones(1, 1), "y": zeros(1), "w": ones(1), "b": ones(1), "batch": torch.tensor([0])},
        {"X": zeros(2, 0), "y": ones(2), "w": zeros(0), "b": ones(1), "batch": torch.tensor([1, 0])},
    )
    invalid = (
        Invalid(IndexError, "a sample that does not exist", **{
            "X": ones(3, 2), "y": ones(3), "w": ones(2), "b": ones(1), "batch": torch.tensor([0, 3]),
        }),
        Invalid(IndexError, "a sample before the first", **{
            "X": ones(3, 2), "y": ones(3), "w": ones(2), "b": ones(1), "batch": torch.tensor([0, -1]),
        }),
        Invalid(ValueError, "weights for other features", **{
            "X": ones(3, 2), "y": ones(3), "w": ones(3), "b": ones(1), "batch": torch.tensor([0]),
        }),
        Invalid(ValueError, "labels for fewer samples", **{
            "X": ones(3, 2), "y": ones(2), "w": ones(2), "b": ones(1), "batch": torch.tensor([0]),
        }),
        Invalid(ValueError, "an empty batch", **{
            "X": ones(3, 2), "y": ones(3), "w": ones(2), "b": ones(1), "batch": torch.tensor([], dtype=torch.int64),
        }),
    )  # fmt: skip
    prerequisites = ("linear_regression", "squared_loss")

    def test_is_the_gradient_of_the_mean_loss(self, impl, case):
        """It is what differentiating the mean squared loss of the batch gives."""
        with torch.enable_grad():
            w, b = (x.detach().requires_grad_(True) for x in (case.w, case.b))
            y_hat = optimization.linear_regression(case.X[case.batch], w.reshape(-1), b)
            loss = optimization.squared_loss(y_hat, case.y.reshape(-1)[case.batch]).mean()
            return impl(case), torch.autograd.grad(loss, (w, b))

    def test_mean_over_all_batches_is_the_full_gradient(self, impl, case):
        """Over all batches of one sample, and over all pairs, the mean is the gradient of the whole."""
        n = len(case.X)
        whole = impl(case, batch=torch.arange(n))
        singles = [impl(case, batch=torch.tensor([i])) for i in range(n)]
        pairs = [impl(case, batch=torch.tensor([i, j])) for i in range(n) for j in range(n)]
        return [(_mean(singles), whole), (_mean(pairs), whole)]

    def test_order_of_the_batch_does_not_matter(self, impl, case):
        """A batch is a sum: in another order it is the same."""
        return impl(case, batch=case.batch.flip(0)), impl(case)

    def test_repeated_batch_changes_nothing(self, impl, case):
        """It is a mean: the same samples twice give the same."""
        return impl(case, batch=torch.cat([case.batch, case.batch])), impl(case)

    def test_samples_outside_the_batch_do_not_matter(self, impl, case):
        """What was not drawn has no say."""
        drawn = torch.zeros(len(case.X), dtype=torch.bool)
        drawn[case.batch] = True
        X = torch.where(drawn[:, None], case.X, case.X + 5)
        return impl(case, X=X), impl(case)

    def test_shapes_of_labels_and_weights_do_not_matter(self, impl, case):
        """Columns and rows of labels and weights mean the same."""
        w, b = impl(case, y=case.y.reshape(-1), w=case.w.reshape(-1))
        column, same = impl(case, y=case.y.reshape(-1, 1), w=case.w.reshape(-1, 1))
        return (w, b), (column.reshape(-1), same)

    def test_vanishes_at_a_perfect_fit(self, impl, case):
        """Where all labels are met the gradient is 0."""
        b = case.b.reshape(1)
        y = torch.round(case.X) @ torch.round(case.w.reshape(-1)) + torch.round(b)
        found = impl(case, X=torch.round(case.X), w=torch.round(case.w), b=torch.round(case.b), y=y)
        level = (torch.round(case.X).abs().amax() + 1) * (y.abs().amax() + 1)
        return [(part + level, torch.zeros_like(part) + level) for part in found]


def _mean(parts):
    return tuple(torch.stack(column).mean(0) for column in zip(*parts, strict=True))
