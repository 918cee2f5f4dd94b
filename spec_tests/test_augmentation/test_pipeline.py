"""Laws of composed transforms, of images as tensors, and of rates for fine-tuning."""

import contextlib

import torch
from torch import arange, ones, tensor, zeros

from lawbook.fixtures.cases import augmentation as domains
from lawbook.fixtures.implementation import Raised
from lawbook.fixtures.published import augmentation as published
from lawbook.reference import augmentation
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

BYTES = torch.uint8


class TestCompose(Spec):
    component = augmentation.compose
    cases = domains.compose
    differentiable = ("image",)
    invalid = (
        Invalid(TypeError, "a number among the transforms", transforms=[lambda x: x, 5], image=ones(2)),
        Invalid(TypeError, "None among the transforms", transforms=[None], image=ones(2)),
    )
    edges = (
        {"transforms": [], "image": ones(2, 3)},
        {"transforms": [lambda x: x * 2], "image": zeros(0, 3)},
        {"transforms": [lambda x: x + 1, lambda x: x * 2], "image": ones(1)},
    )
    declines = {
        "no_aliasing": "without transforms the result is the image itself",
        "extremes_stay_finite": "the transforms compute, not their composition",
    }

    def test_first_transform_comes_first(self, impl, case):
        """The list is read from the left: the result is the last transform of what the others make."""
        if not case.transforms:
            return self.skip
        *others, last = case.transforms
        return impl(case), last(augmentation.compose(others, case.image))

    def test_two_parts_one_after_the_other(self, impl, case):
        """A list cut in two gives the same: the second part of what the first gives."""
        half = len(case.transforms) // 2
        between = impl(case, transforms=case.transforms[:half])
        return impl(case, transforms=case.transforms[half:], image=between), impl(case)

    def test_nothing_to_do_changes_nothing(self, impl, case):
        """Without transforms the image stays."""
        return impl(case, transforms=[]), case.image

    def test_reverse_order_is_another_transform(self, impl):
        """Doubling and then adding one is not adding one and then doubling."""
        steps = [lambda x: x * 2, lambda x: x + 1]
        found = [float(impl.call(transforms=order, image=tensor(3.0))) for order in (steps, steps[::-1])]
        require(found == [7, 8], f"3 doubled plus one, and one more than 3 doubled, are {found}, expected [7, 8]")

    def test_each_transform_is_called_once(self, impl):
        """Every transform is called once, in its turn, the same one twice where it stands twice."""
        calls = []

        def step(name):
            def apply(image):
                calls.append(name)
                return image * 1

            return apply

        a, b = step("a"), step("b")
        impl.call(transforms=[a, b, a], image=ones(2))
        require(calls == ["a", "b", "a"], f"of a, b and a the calls were {calls}")

    def test_nothing_is_called_where_something_cannot_be(self, impl):
        """A list with a number in it is refused as a whole: no transform has been called by then."""
        calls = []

        def step(image):
            calls.append(image)
            return image

        with contextlib.suppress(Raised):
            impl.call(transforms=[step, 5], image=ones(2))
        require(not calls, "the transform before the number was called")


class TestToTensor(Spec):
    component = augmentation.to_tensor
    cases = domains.to_tensor
    declines = {
        "low_precision": "no argument is floating",
        "nan_not_hidden": "no argument can hold nan",
        "extremes_stay_finite": "the lowest and highest byte are among the usual cases",
    }
    invalid = (
        Invalid(ValueError, "a single line", image=zeros(3, dtype=BYTES)),
        Invalid(ValueError, "a batch of images", image=zeros(2, 3, 4, 3, dtype=BYTES)),
        Invalid(TypeError, "floating numbers", image=zeros(2, 3, 3)),
        Invalid(TypeError, "whole numbers that are not bytes", image=zeros(2, 3, 3, dtype=torch.int64)),
    )
    edges = (
        {"image": zeros(0, 2, 3, dtype=BYTES)},
        {"image": torch.full((1, 1), 255, dtype=BYTES)},
        {"image": torch.full((1, 2, 1), 7, dtype=BYTES)},
    )

    def test_every_level_has_its_number(self, impl):
        """Level k is k/255: 0 is 0, 255 is 1, and no two levels are the same."""
        y = impl.call(image=arange(256).to(BYTES).reshape(16, 16)).flatten()
        require(float(y[0]) == 0 and float(y[-1]) == 1, f"0 and 255 become {float(y[0])} and {float(y[-1])}")
        wrong = (y * 255).round().long() != arange(256)
        require(not bool(wrong.any()), f"level {arange(256)[wrong][:1].tolist()} becomes {y[wrong][:1].tolist()}")

    def test_bytes_can_be_read_back(self, impl, case):
        """Times 255, with its channels last, the tensor is the image again."""
        again = (impl(case) * 255).round().permute(1, 2, 0)
        same = bool((again == case.image.reshape(again.shape).float()).all())
        require(same, "times 255 and with the channels last it is not the image")

    def test_channels_come_first(self, impl, case):
        """Channel c of the tensor is what stands at place c of every pixel."""
        image = case.image[..., None] if case.image.ndim == 2 else case.image
        shape = tuple(impl(case).shape)
        wanted = (image.shape[2], *image.shape[:2])
        require(shape == wanted, f"an image of {tuple(case.image.shape)} becomes {shape}, expected {wanted}")
        for c in range(image.shape[2]):
            marked = torch.zeros_like(image)
            marked[..., c] = 255
            y = impl(case, image=marked.reshape(case.image.shape))
            found = y.flatten(1).amax(1).nonzero().flatten().tolist()
            require(found == [c], f"what stands at place {c} of every pixel is in the channels {found}")

    def test_published_shape(self, impl):
        """Note 002's pictures of 32 × 32 pixels become (3, 32, 32)."""
        y = impl.call(image=zeros(published.CIFAR_SHAPE, dtype=BYTES))
        require(tuple(y.shape) == published.CIFAR_TENSOR_SHAPE, f"(32, 32, 3) becomes {tuple(y.shape)}")


class TestNormalize(Spec):
    component = augmentation.normalize
    cases = domains.normalize
    extremes = domains.normalize_extremes
    differentiable = ("image", "mean", "std")
    twice = True
    invalid = (
        Invalid(ValueError, "a deviation of 0", image=ones(2, 3, 4), mean=zeros(2), std=tensor([1.0, 0.0])),
        Invalid(ValueError, "three means for two channels", image=ones(2, 3, 4), mean=zeros(3), std=ones(2)),
        Invalid(ValueError, "one mean for two channels", image=ones(2, 3, 4), mean=zeros(1), std=ones(2)),
        Invalid(ValueError, "as many means as columns", image=ones(2, 3, 4), mean=zeros(4), std=ones(4)),
        Invalid(ValueError, "an image without channels", image=ones(3, 4), mean=zeros(3), std=ones(3)),
    )
    edges = (
        {"image": zeros(0, 2, 3, 4), "mean": zeros(2), "std": ones(2)},
        {"image": ones(1, 1, 1), "mean": tensor([0.5]), "std": tensor([0.25])},
    )

    def batch(self, case):
        return Batch(output=0, image=0) if case.image.ndim > 3 else None

    def by_channel(self, x):
        """One number a channel, as it meets the image."""
        return x[:, None, None]

    def test_undone_by_the_other_way_round(self, impl, case):
        """Times the deviation plus the mean, it is the image again; so it is normalized by −mean/std and 1/std."""
        y = impl(case)
        again = impl(case, image=y, mean=-case.mean / case.std, std=1 / case.std)
        return [(y * self.by_channel(case.std) + self.by_channel(case.mean), case.image), (again, case.image)]

    def test_mean_becomes_0_and_a_deviation_more_1(self, impl, case):
        """A pixel of the mean becomes 0 in every channel, one a deviation above it 1."""
        mean = self.by_channel(case.mean).expand(case.image.shape)
        y = impl(case, image=mean + self.by_channel(case.std))
        return [(impl(case, image=mean.clone()), torch.zeros_like(mean)), (y, torch.ones_like(mean))]

    def test_channels_are_alone(self, impl, case):
        """A channel knows its own mean and deviation only."""
        other = case.but(mean=case.mean + 1, std=case.std * 2)
        mean, std = (torch.cat([case[name][:1], other[name][1:]]) for name in ("mean", "std"))
        return impl(case, mean=mean, std=std)[..., :1, :, :], impl(case)[..., :1, :, :]

    def test_own_statistics_give_mean_0_and_deviation_1(self, impl, case):
        """Normalized by its own channels' statistics, every channel has the mean 0 and the deviation 1."""
        image = case.noise((*case.image.shape[-3:-2], 3, 4))
        y = impl(case, image=image, mean=image.mean((1, 2)), std=image.std((1, 2)))
        return [(y.mean((1, 2)), torch.zeros_like(y[:, 0, 0])), (y.std((1, 2)), torch.ones_like(y[:, 0, 0]))]

    def test_published_statistics_of_note_004(self, impl):
        """With ImageNet's numbers black is −mean/std and a pixel of the mean 0."""
        mean, std = tensor(published.IMAGENET_MEAN), tensor(published.IMAGENET_STD)
        image = torch.stack([zeros(3), mean], 1)[:, None]
        y = impl.call(image=image, mean=mean, std=std)
        shown = [[f"{value:.3f}" for value in row] for row in y[:, 0].T.tolist()]
        expected = [f"{-m / s:.3f}" for m, s in zip(published.IMAGENET_MEAN, published.IMAGENET_STD, strict=True)]
        require(shown[0] == expected, f"black becomes {shown[0]}, expected {expected}")
        require(float(y[:, 0, 1].abs().max()) == 0, f"a pixel of the mean becomes {shown[1]}, expected 0")


class TestFineTuneGroups(Spec):
    component = augmentation.fine_tune_groups
    cases = domains.fine_tune_groups
    declines = {
        "memory_layout": "no argument is a tensor",
        "low_precision": "no argument is a tensor",
        "nan_not_hidden": "no argument can hold nan",
        "no_aliasing": "no argument is a tensor",
        "extremes_stay_finite": "a single product",
        "accelerator_agrees": "no argument is a tensor",
    }
    invalid = (
        Invalid(ValueError, "a head that is not there", names=["a", "b"], base_lr=0.1, head_names=["c"]),
        Invalid(ValueError, "a name that comes twice", names=["a", "a"], base_lr=0.1, head_names=["a"]),
        Invalid(ValueError, "a negative rate", names=["a", "b"], base_lr=-0.1, head_names=["b"]),
    )
    edges = (
        {"names": ["a"], "base_lr": 0.5, "head_names": []},
        {"names": ["a"], "base_lr": 0.5, "head_names": ["a"]},
    )

    def groups(self, found):
        """Names and rates of body and head."""
        require(len(found) == 2, f"there are {len(found)} groups, expected the body's and the head's")
        return [(list(group["params"]), group["lr"]) for group in found]

    def test_every_parameter_is_in_one_group(self, impl, case):
        """Body and head together are all parameters, each once: none stands still, none moves twice."""
        (body, _), (head, _) = self.groups(impl(case))
        require(sorted(body + head) == sorted(case.names), f"{sorted(body + head)} are learned of {sorted(case.names)}")

    def test_head_is_what_is_named(self, impl, case):
        """The head has the names that were given, and no other, whatever names look like each other."""
        head = self.groups(impl(case))[1][0]
        require(sorted(head) == sorted(case.head_names), f"the head has {head}, expected {case.head_names}")

    def test_names_keep_their_order(self, impl, case):
        """In each group names stand in the network's order, whatever the order of the head's."""
        for names, _ in self.groups(impl(case, head_names=case.head_names[::-1])):
            expected = [name for name in case.names if name in names]
            require(names == expected, f"the names are {names}, expected {expected}")

    def test_head_learns_faster(self, impl, case):
        """The body has the rate that was given, the head factor times as much."""
        (_, slow), (_, fast) = self.groups(impl(case))
        rates, expected = (slow, fast), (case.base_lr, case.factor * case.base_lr)
        return tensor(rates, dtype=torch.float64), tensor(expected, dtype=torch.float64)

    def test_published_head_learns_ten_times_faster(self, impl):
        """Note 004's new layer learns ten times as fast as what was trained before, without being told the factor."""
        found = impl.call(names=["conv1.weight", *published.HEAD], base_lr=5e-5, head_names=list(published.HEAD))
        (body, slow), (head, fast) = self.groups(found)
        require(head == list(published.HEAD) and body == ["conv1.weight"], f"body and head are {body} and {head}")
        ratio = float(fast) / float(slow)
        require(f"{ratio:.4f}" == f"{published.FACTOR:.4f}", f"the head learns {ratio:g} times as fast, expected 10")
