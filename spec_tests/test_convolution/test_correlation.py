"""Cross-correlation of single images, its transpose, its matrix, and learning its kernel."""

from typing import Any

import torch
from torch import ones, tensor, zeros

from lawbook.fixtures.cases import convolution as domains
from lawbook.fixtures.published import convolution as published
from lawbook.reference import convolution
from lawbook.spec_tests.spec import Invalid, Spec, require
from lawbook.spec_tests.test_convolution.laws import reads


class BilinearLaws:
    """Laws of every product of an image ``X`` and a kernel ``K``."""

    differentiable = ("X", "K")
    twice = True

    def test_additive_in_the_image(self, impl: Any, case: Any) -> Any:
        """The sum of two images gives the sum of their results."""
        other = case.noise(case.X.shape)
        return impl(case, X=case.X + other), impl(case) + impl(case, X=other)

    def test_additive_in_the_kernel(self, impl: Any, case: Any) -> Any:
        """The sum of two kernels gives the sum of their results."""
        other = case.noise(case.K.shape)
        return impl(case, K=case.K + other), impl(case) + impl(case, K=other)


class TestCorr2d(BilinearLaws, Spec):
    component = convolution.corr2d
    cases = domains.corr2d
    extremes = domains.corr2d_extremes
    invalid = (
        Invalid(ValueError, "a kernel higher than the image", X=zeros(3, 4), K=zeros(4, 2)),
        Invalid(ValueError, "a kernel wider than the image", X=zeros(3, 4), K=zeros(2, 5)),
        Invalid(ValueError, "a kernel of one axis", X=zeros(3, 4), K=zeros(2)),
        Invalid(ValueError, "two images", X=zeros(2, 3, 4), K=zeros(2, 2)),
    )
    edges = ({"X": ones(1, 1), "K": ones(1, 1)}, {"X": ones(2, 3), "K": ones(2, 3)}, {"X": ones(1, 4), "K": ones(1, 2)})

    def test_shifting_the_image_shifts_the_result(self, impl: Any, case: Any) -> Any:
        """An image that begins a row and a column earlier has a result that does."""
        height, width = case.X.shape
        larger = case.noise((height + 1, width + 1))
        larger[1:, 1:] = case.X
        return impl(case, X=larger)[1:, 1:], impl(case)

    def test_a_single_tap_reads_a_single_place(self, impl: Any, case: Any) -> Any:
        """A kernel that is one at a single tap and zero elsewhere copies a part of the image: nothing is flipped."""
        (height, width), (rows, columns) = case.X.shape, case.K.shape
        a, b = case.seed % rows, case.seed // 7 % columns
        kernel = torch.zeros_like(case.K)
        kernel[a, b] = 1
        return impl(case, K=kernel), case.X[a : height - rows + 1 + a, b : width - columns + 1 + b]

    def test_transposed_image_and_kernel_give_the_transposed_result(self, impl: Any, case: Any) -> Any:
        """Exchanging rows and columns of both exchanges them in the result."""
        return impl(case, X=case.X.mT, K=case.K.mT), impl(case).mT

    def test_kernel_as_large_as_the_image_is_an_inner_product(self, impl: Any, case: Any) -> Any:
        """With a kernel of the image's size the only element is the sum of the products."""
        kernel = case.noise(case.X.shape)
        return impl(case, K=kernel), (case.X * kernel).sum().view(1, 1)

    def test_published_edges(self, impl: Any) -> None:
        """The edge detector of note 004 finds the upright edges, and none in the transposed image."""
        image, kernel = tensor(published.EDGE_IMAGE), tensor(published.EDGE_KERNEL)
        edges, expected = impl.call(X=image, K=kernel), tensor(published.EDGES)
        require(edges.shape == expected.shape, f"gives shape {tuple(edges.shape)}, expected {tuple(expected.shape)}")
        require(reads(edges, expected), f"gives {edges[0].tolist()} in the first row, not {published.EDGES[0]}")
        require(reads(impl.call(X=image.mT, K=kernel), 0.0), "finds edges in the transposed image, which has none")


class TestCorr2dMultiIn(BilinearLaws, Spec):
    component = convolution.corr2d_multi_in
    cases = domains.corr2d_multi_in
    extremes = domains.corr2d_multi_in_extremes
    prerequisites = ("corr2d",)
    invalid = (
        Invalid(ValueError, "a kernel for another number of channels", X=zeros(2, 3, 4), K=zeros(3, 2, 2)),
        Invalid(ValueError, "a kernel larger than the image", X=zeros(2, 3, 4), K=zeros(2, 4, 2)),
    )
    edges = ({"X": ones(1, 1, 1), "K": ones(1, 1, 1)}, {"X": ones(1, 2, 3), "K": ones(1, 2, 3)})

    def test_sum_over_the_channels(self, impl: Any, case: Any) -> Any:
        """It is the sum of each channel's correlation with its own kernel."""
        parts = [convolution.corr2d(x, k) for x, k in zip(case.X, case.K, strict=True)]
        return impl(case), torch.stack(parts).sum(0)

    def test_order_of_the_channels_does_not_matter(self, impl: Any, case: Any) -> Any:
        """Image and kernel with their channels in reverse give the same."""
        return impl(case, X=case.X.flip(0), K=case.K.flip(0)), impl(case)


class TestCorr2dMultiInOut(BilinearLaws, Spec):
    component = convolution.corr2d_multi_in_out
    cases = domains.corr2d_multi_in_out
    extremes = domains.corr2d_multi_in_out_extremes
    prerequisites = ("corr2d_multi_in",)
    invalid = (
        Invalid(ValueError, "kernels for another number of channels", X=zeros(2, 3, 4), K=zeros(2, 3, 2, 2)),
        Invalid(ValueError, "kernels larger than the image", X=zeros(2, 3, 4), K=zeros(3, 2, 4, 2)),
    )
    edges = ({"X": ones(1, 1, 1), "K": ones(1, 1, 1, 1)}, {"X": ones(1, 2, 3), "K": ones(2, 1, 2, 3)})

    def test_one_kernel_for_each_output(self, impl: Any, case: Any) -> Any:
        """Every output channel is the correlation with its own kernel."""
        return impl(case), torch.stack([convolution.corr2d_multi_in(case.X, kernel) for kernel in case.K])

    def test_outputs_follow_the_order_of_the_kernels(self, impl: Any, case: Any) -> Any:
        """Kernels in reverse give the outputs in reverse."""
        return impl(case, K=case.K.flip(0)), impl(case).flip(0)


class TestCorr2d1x1(BilinearLaws, Spec):
    component = convolution.corr2d_1x1
    cases = domains.corr2d_1x1
    extremes = domains.corr2d_1x1_extremes
    prerequisites = ("corr2d_multi_in_out",)
    invalid = (
        Invalid(ValueError, "kernels for another number of channels", X=zeros(2, 3, 4), K=zeros(2, 3, 1, 1)),
        Invalid(ValueError, "kernels that are not 1×1", X=zeros(2, 3, 4), K=zeros(3, 2, 2, 1)),
    )
    edges = ({"X": ones(1, 1, 1), "K": ones(1, 1, 1, 1)}, {"X": ones(2, 1, 3), "K": ones(1, 2, 1, 1)})

    def test_matrix_product_over_the_channels(self, impl: Any, case: Any) -> Any:
        """It is the kernels' matrix times the image with its pixels laid out in a row."""
        product = case.K[:, :, 0, 0] @ case.X.flatten(1)
        return impl(case).flatten(1), product

    def test_correlation_with_the_same_kernels(self, impl: Any, case: Any) -> Any:
        """It is the correlation of several channels with these kernels."""
        return impl(case), convolution.corr2d_multi_in_out(case.X, case.K)

    def test_pixels_do_not_meet(self, impl: Any, case: Any) -> Any:
        """Moving the pixels moves the result's pixels alike."""
        return impl(case, X=case.X.flip(1, 2)), impl(case).flip(1, 2)


class TestTransposedCorr2d(BilinearLaws, Spec):
    component = convolution.transposed_corr2d
    cases = domains.transposed_corr2d
    extremes = domains.transposed_corr2d_extremes
    prerequisites = ("corr2d",)
    invalid = (
        Invalid(ValueError, "an image of three axes", X=zeros(2, 3, 4), K=zeros(2, 2)),
        Invalid(ValueError, "a kernel of one axis", X=zeros(3, 4), K=zeros(2)),
        Invalid(ValueError, "an image without rows", X=zeros(0, 4), K=zeros(2, 2)),
        Invalid(ValueError, "a kernel without rows", X=zeros(3, 4), K=zeros(0, 2)),
    )
    edges = ({"X": ones(1, 1), "K": ones(1, 1)}, {"X": ones(1, 1), "K": ones(2, 3)}, {"X": ones(1, 4), "K": ones(3, 1)})

    def test_output_grows_by_the_kernel_less_one(self, impl: Any, case: Any) -> None:
        """The output has h + kh − 1 rows and w + kw − 1 columns."""
        expected = tuple(n + k - 1 for n, k in zip(case.X.shape, case.K.shape, strict=True))
        shape = tuple(impl(case).shape)
        require(
            shape == expected, f"{tuple(case.X.shape)} with {tuple(case.K.shape)} give {shape}, expected {expected}"
        )

    def test_adjoint_of_the_correlation(self, impl: Any, case: Any) -> Any:
        """⟨transposed(X, K), Z⟩ = ⟨X, corr2d(Z, K)⟩ for every Z."""
        y = impl(case)
        z = case.noise(y.shape)
        return (y * z).sum(), (case.X * convolution.corr2d(z, case.K)).sum()

    def test_image_and_kernel_may_change_places(self, impl: Any, case: Any) -> Any:
        """It is the full convolution, which is commutative."""
        return impl(case, X=case.K, K=case.X), impl(case)

    def test_sums_multiply(self, impl: Any, case: Any) -> Any:
        """The output sums to the image's sum times the kernel's."""
        return impl(case).sum(), case.X.sum() * case.K.sum()

    def test_a_single_element_stamps_the_kernel(self, impl: Any, case: Any) -> Any:
        """An image of a single one gives the kernel itself, not flipped."""
        return impl(case, X=torch.ones_like(case.X[:1, :1])), case.K


class TestKernelToMatrix(Spec):
    component = convolution.kernel_to_matrix
    cases = domains.kernel_to_matrix
    extremes = domains.kernel_to_matrix_extremes
    differentiable = ("K",)
    prerequisites = ("corr2d", "transposed_corr2d")
    invalid = (
        Invalid(ValueError, "a kernel larger than the image", K=zeros(3, 2), input_shape=(2, 4)),
        Invalid(ValueError, "a kernel of three axes", K=zeros(1, 2, 2), input_shape=(3, 4)),
    )
    edges = ({"K": ones(1, 1), "input_shape": (1, 1)}, {"K": ones(2, 3), "input_shape": (2, 3)})

    def test_product_is_the_correlation(self, impl: Any, case: Any) -> Any:
        """The matrix times the flattened image is the flattened correlation."""
        image = case.noise(case.input_shape)
        return impl(case) @ image.flatten(), convolution.corr2d(image, case.K).flatten()

    def test_transposed_product_is_the_transposed_correlation(self, impl: Any, case: Any) -> Any:
        """The transposed matrix times a flattened result is the flattened transposed correlation."""
        y = case.noise([n - k + 1 for n, k in zip(case.input_shape, case.K.shape, strict=True)])
        return impl(case).mT @ y.flatten(), convolution.transposed_corr2d(y, case.K).flatten()

    def test_every_row_holds_the_kernel_once(self, impl: Any, case: Any) -> Any:
        """Every row has the kernel's elements in their order, and zeros elsewhere."""
        matrix, taps = (
            impl(case, K=torch.arange(1.0, case.K.numel() + 1).to(case.dtype).view(case.K.shape)),
            case.K.numel(),
        )
        require(bool(((matrix != 0).sum(1) == taps).all()), f"a row has other than {taps} elements that are not zero")
        return matrix[matrix != 0].view(-1, taps), torch.arange(1.0, taps + 1).to(case.dtype).expand(len(matrix), taps)

    def test_published_matrix(self, impl: Any) -> None:
        """The 2×2 kernel of note 004 on 3×3 images gives its 4×9 matrix."""
        row = published.MATRIX_ROW
        expected = [[0.0] * shift + [*row] + [0.0] * (9 - len(row) - shift) for shift in published.MATRIX_SHIFTS]
        matrix = impl.call(K=tensor(published.MATRIX_KERNEL), input_shape=published.MATRIX_IMAGE_SIZE)
        require(matrix.tolist() == expected, f"gives {matrix.tolist()}, the note {expected}")


class TestLearnKernel(Spec):
    component = convolution.learn_kernel
    cases = domains.learn_kernel
    extremes = domains.learn_kernel_extremes
    prerequisites = ("corr2d",)
    invalid = (
        Invalid(
            ValueError, "a target of another size", X=ones(3, 4), Y=ones(3, 4), kernel_size=(2, 2), steps=1, lr=0.1
        ),
        Invalid(
            ValueError,
            "a kernel larger than the image",
            X=ones(3, 4),
            Y=ones(1, 1),
            kernel_size=(4, 4),
            steps=1,
            lr=0.1,
        ),
        Invalid(ValueError, "a step back", X=ones(2, 2), Y=ones(1, 1), kernel_size=2, steps=-1, lr=0.1),
        Invalid(ValueError, "a learning rate of 0", X=ones(2, 2), Y=ones(1, 1), kernel_size=2, steps=1, lr=0.0),
    )
    edges = (
        {"X": ones(1, 1), "Y": ones(1, 1), "kernel_size": (1, 1), "steps": 2, "lr": 0.25},
        {"X": ones(2, 3), "Y": ones(1, 2), "kernel_size": (2, 2), "steps": 0, "lr": 0.25},
    )

    def test_without_steps_the_kernel_is_zero(self, impl: Any, case: Any) -> None:
        """No steps leave the zeros that it starts from, and no losses."""
        kernel, losses = impl(case, steps=0)
        require(not kernel.any(), f"without steps the kernel is {kernel.tolist()}, expected zeros")
        require(
            tuple(losses.shape) == (0,), f"without steps the losses have shape {tuple(losses.shape)}, expected (0,)"
        )

    def test_first_loss_is_that_of_the_zero_kernel(self, impl: Any, case: Any) -> Any:
        """The first loss is the sum of the target's squares: it is taken before the first update."""
        return impl(case, steps=1)[1], case.Y.square().sum().view(1)

    def test_losses_belong_to_the_kernels_on_the_way(self, impl: Any, case: Any) -> Any:
        """The loss at a step is that of the kernel which so many steps give."""
        steps = min(case.steps, 3)
        kernel = impl(case, steps=steps)[0]
        loss = (convolution.corr2d(case.X, kernel) - case.Y).square().sum()
        return impl(case, steps=steps + 1)[1][-1], loss

    def test_loss_never_rises(self, impl: Any, case: Any) -> Any:
        """With a rate this small no loss is above the one before."""
        losses = impl(case, steps=max(case.steps, 2))[1]
        return torch.minimum(losses[1:], losses[:-1]), losses[1:]

    def test_distance_to_the_true_kernel_shrinks_by_a_known_matrix(self, impl: Any, case: Any) -> Any:
        """For a target made with a kernel, the distance to it is multiplied by I − 2·lr·AᵀA at every step."""
        true = case.noise(case.kernel_size)
        target = convolution.corr2d(case.X, true)
        windows = convolution.unfold(case.X[None, None], case.kernel_size)[0]
        factor = torch.eye(len(windows), dtype=case.dtype) - 2 * case.lr * windows @ windows.mT
        distance = -true.flatten()
        for _ in range(case.steps):
            distance = factor @ distance
        return impl(case, Y=target)[0], true + distance.view(case.kernel_size)

    def test_published_edge_detector(self, impl: Any) -> None:
        """Ten steps on note 004's image come within 2 % of its kernel, loss falling by 0.64² a step."""
        image, edges = tensor(published.EDGE_IMAGE), tensor(published.EDGES)
        kernel, losses = impl.call(X=image, Y=edges, kernel_size=(1, 2), steps=10, lr=0.03)
        far = (kernel - tensor(published.EDGE_KERNEL)).abs().max().item()
        require(f"{far:.3f}" == f"{0.64**10:.3f}", f"the kernel is {far:.4f} away, expected {0.64**10:.4f}")
        expected = [f"{12 * 0.64 ** (2 * step):.3f}" for step in range(10)]
        got = [f"{loss:.3f}" for loss in losses.tolist()]
        require(got == expected, f"the losses are {got}, expected {expected}")

    def test_published_losses_belong_to_the_plain_square(self, impl: Any) -> None:
        """The printed losses fall as the two modes of the sum of squares do with rate 0.03, from whatever start."""
        image = tensor(published.EDGE_IMAGE)
        # Targets of a sum and of a difference kernel excite one mode each.
        fall = []
        for true in ((1.0, 1.0), (-1.0, 1.0)):
            target = convolution.corr2d(image, tensor([true]))
            losses = impl.call(X=image, Y=target, kernel_size=(1, 2), steps=3, lr=0.03)[1]
            fall.append((losses[2] / losses[0]).item())
        slow, fast = fall
        printed = [float(loss) for loss in published.LEARNING_LOSSES]
        for first, second, third in zip(printed, printed[1:], printed[2:], strict=False):
            expected = (slow + fast) * second - slow * fast * first
            # Each of the three is printed to half a unit of its third decimal.
            rounding = (1 + slow + fast + slow * fast) * 0.0005
            require(abs(expected - third) <= rounding, f"after {first} and {second} comes {expected:.4f}, not {third}")
