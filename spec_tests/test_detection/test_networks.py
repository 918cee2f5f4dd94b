"""The networks of single-shot detection: blocks, base, and the whole."""

from typing import Any

import torch
from torch import Tensor, zeros

from lawbook.fixtures.cases.detection import ssd as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import detection_ssd as published
from lawbook.fixtures.tree import map_leaves
from lawbook.fixtures.trial import Trial
from lawbook.reference import detection
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require


def layer(into: int, out: int, side: int = 3, normalized: bool = True) -> dict[str, Tensor]:
    """Parameters that sum what a window holds: all ones, no bias."""
    parts = {"weight": torch.ones(out, into, side, side), "bias": zeros(out)}
    return {**parts, "gamma": torch.ones(out), "beta": zeros(out)} if normalized else parts


def block(into: int, out: int, side: int = 3) -> list[dict[str, Tensor]]:
    """The parameters of a block that sums what its windows hold."""
    return [layer(into, out, side), layer(out, out, side)]


def network(into: int = 1, out: int = 1, count: int = 4, classes: int = 1) -> dict[str, Any]:
    """The parameters of a whole network that sums."""
    return {
        "base": [block(into, out), block(out, out), block(out, out)],
        "blocks": [block(out, out) for _ in range(3)],
        "classes": [layer(out, count * (classes + 1), normalized=False) for _ in range(5)],
        "boxes": [layer(out, count * 4, normalized=False) for _ in range(5)],
    }


def still(out: int) -> list[tuple[Tensor, Tensor]]:
    """Moving statistics of a block that change next to nothing."""
    return [(zeros(out), torch.ones(out)) for _ in range(2)]


def cast(tree: Any, dtype: torch.dtype) -> Any:
    """The tensors of a tree in another dtype."""
    return map_leaves(lambda leaf: leaf.to(dtype) if isinstance(leaf, Tensor) else leaf, tree)


class Network(Spec):
    """What holds of all three."""

    differentiable = ("x", "params")
    # Whether a nan of a kernel meets the zeros around an image (0 · nan) is the convolution's affair.
    nan_arguments = ("x",)
    # Deep networks are judged with yardsticks that take as long as a hundred calls: for these laws, of so many cases one.
    share = 1

    def _gradient(self, impl: Trial, case: Case, second: bool) -> Any:
        return super()._gradient(impl, case, second) if case.seed % self.share == 0 else self.skip

    def mixes(self, case: Case) -> bool:
        """Whether the batch's own statistics serve, so that samples are not alone."""
        return case.training or case.moving is None

    def test_moving_statistics_wait_for_the_end_of_training(self, impl: Trial, case: Case) -> Any:
        """In training the moving statistics are not read, nor outside it where there are none: the batch's own serve."""
        return impl(case, training=True), impl(case, training=False, moving=None)


class Blocks(Network):
    """What holds of a block, and of the base."""

    times: int

    def rows(self, case: Case) -> tuple[int, ...]:
        return (-2, -1)

    def batch(self, case: Case) -> Batch | None:
        return None if self.mixes(case) else Batch(output=0, x=0)

    def fields(self, case: Case) -> dict[str, Any]:
        """Parameters that sum, with which a single pixel shows wherever it is seen."""
        raise NotImplementedError

    def test_height_and_width_are_halved(self, impl: Trial, case: Case) -> None:
        """Height and width are halved, and rounded down, at every block; samples and channels stay as they should."""
        got = tuple(impl(case).shape)
        last = case.params if self.times == 1 else case.params[-1]
        size = [n // 2**self.times for n in case.x.shape[2:]]
        require(got == (len(case.x), len(last[1]["weight"]), *size), f"{tuple(case.x.shape)} becomes {got}")

    def test_never_below_zero(self, impl: Trial, case: Case) -> None:
        """No element is below 0: each comes from a ReLU."""
        y = impl(case)
        require(bool((y >= 0).all()), f"{y.min().item():g} is below 0")

    def known(self, case: Case) -> Any:
        """Moving statistics, the case's own where it has any."""
        blocks = [case.params] if self.times == 1 else case.params
        plain = cast([still(len(part[0]["weight"])) for part in blocks], case.dtype)
        return case.moving or (plain[0] if self.times == 1 else plain)

    def test_samples_are_alone_outside_training(self, impl: Trial, case: Case) -> Any:
        """By the moving statistics, the last sample alone has the same result as among the others."""
        change = {"training": False, "moving": self.known(case)}
        return impl(case, x=case.x[-1:], **change), impl(case, **change)[-1:]

    def test_receptive_field(self, impl: Trial, case: Case) -> Any:
        """An element of the result sees the pixels of its own field and no other: 6×6 for a block, 36×36 for three."""
        side, step = {1: (6, 2), 3: (36, 8)}[self.times]
        n, axis = 8 * 2**self.times, case.seed % 2
        place = case.seed // 2 % n
        x = zeros(1, 1, n, n, dtype=case.dtype)
        x.select(2 + axis, place)[:] = 1
        y = impl(case, x=x, training=False, **cast(self.fields(case), case.dtype))
        first = torch.arange(n // step) * step - (side - step) // 2
        seen = ((first <= place) & (place < first + side)).to(case.dtype)
        shown = (y[0, 0] > 0).to(case.dtype)
        return shown, seen.view((-1, 1) if axis == 0 else (1, -1)).expand(shown.shape)

    def test_biases_before_normalization_do_not_show_in_training(self, impl: Trial, case: Case) -> Any:
        """In training, a number added to a convolution's bias changes nothing: the batch's mean takes it off again."""
        shifted = self.shifted(case.params)
        return impl(case, training=True, params=shifted), impl(case, training=True)

    def shifted(self, params: Any) -> Any:
        """The parameters with every bias larger by one half."""
        if isinstance(params, dict):
            return {**params, "bias": params["bias"] + 0.5}
        return [self.shifted(part) for part in params]


class TestDownsampleBlock(Blocks):
    component = detection.downsample_block
    cases = domains.downsample_block
    extremes = domains.downsample_block_extremes
    prerequisites = ("conv2d", "batch_norm", "max_pool2d")
    times = 1
    invalid = (
        Invalid(ValueError, "an image of one row", x=torch.ones(2, 1, 1, 4), params=block(1, 2)),
        Invalid(ValueError, "kernels of 2×2", x=torch.ones(2, 1, 4, 4), params=block(1, 2, 2)),
        Invalid(ValueError, "a single layer", x=torch.ones(2, 1, 4, 4), params=block(1, 2)[:1]),
        Invalid(ValueError, "kernels of other channels", x=torch.ones(2, 3, 4, 4), params=block(1, 2)),
        Invalid(ValueError, "an image of three axes", x=torch.ones(1, 4, 4), params=block(1, 2)),
    )
    edges = (
        {"x": torch.ones(0, 1, 4, 4), "params": block(1, 2), "training": False, "moving": still(2)},
        {"x": torch.ones(1, 1, 2, 2), "params": block(1, 1), "training": False, "moving": still(1)},
        {"x": torch.ones(2, 1, 2, 3), "params": block(1, 2), "training": False, "moving": still(2)},
    )

    def fields(self, case: Case) -> dict[str, Any]:
        return {"params": block(1, 1), "moving": still(1)}

    def test_image_beyond_the_last_pair_counts(self, impl: Trial, case: Case) -> Any:
        """Of an odd size, the last row is seen by convolutions but has no element of its own."""
        height = case.x.shape[2] // 2 * 2 + 1
        x = case.noise((*case.x.shape[:2], height, case.x.shape[3]), 67)
        even = impl(case, x=torch.nn.functional.pad(x, (0, 0, 0, 1)), training=False, moving=self.known(case))
        return impl(case, x=x, training=False, moving=self.known(case)), even[:, :, :-1]

    def test_published_shape(self, impl: Trial) -> None:
        """The textbook's image of 20×20 becomes one of 10×10."""
        given, expected = published.BLOCK
        y = impl.call(x=torch.ones(given, dtype=self.dtype), params=cast(block(given[1], expected[1]), self.dtype))
        require(tuple(y.shape) == expected, f"{given} becomes {tuple(y.shape)}, expected {expected}")


class TestSsdBase(Blocks):
    component = detection.ssd_base
    cases = domains.ssd_base
    extremes = domains.ssd_base_extremes
    prerequisites = ("downsample_block",)
    times = 3
    share = 3
    invalid = (
        Invalid(ValueError, "an image of four rows", x=torch.ones(2, 1, 4, 8), params=[block(1, 1)] * 3),
        Invalid(ValueError, "two blocks", x=torch.ones(2, 1, 16, 16), params=[block(1, 1)] * 2),
        Invalid(ValueError, "blocks that do not fit", x=torch.ones(2, 1, 16, 16), params=[block(1, 2)] * 3),
    )
    edges = (
        {"x": torch.ones(0, 1, 8, 8), "params": [block(1, 1)] * 3, "training": False, "moving": [still(1)] * 3},
        {"x": torch.ones(1, 1, 8, 8), "params": [block(1, 1)] * 3, "training": False, "moving": [still(1)] * 3},
    )

    def fields(self, case: Case) -> dict[str, Any]:
        return {"params": [block(1, 1)] * 3, "moving": [still(1)] * 3}

    def test_three_blocks_in_a_row(self, impl: Trial, case: Case) -> Any:
        """It is the first block, then the second, then the third."""
        x = case.x
        for k, params in enumerate(case.params):
            x = detection.downsample_block(x, params, case.training, case.moving and case.moving[k])
        return impl(case), x

    def test_published_shape(self, impl: Trial) -> None:
        """256×256 pixels become 32×32."""
        given, expected = published.BASE
        channels = (1, 1, 1, 1)
        params = [block(channels[k], channels[k + 1]) for k in range(3)]
        y = impl.call(x=torch.ones(1, 1, *given[2:], dtype=self.dtype), params=cast(params, self.dtype))
        require(
            tuple(y.shape[2:]) == expected[2:], f"{given[2:]} becomes {tuple(y.shape[2:])}, expected {expected[2:]}"
        )


SHORT = {"sizes": [[0.2, 0.3]] * 5, "ratios": [[1.0, 2.0, 0.5]] * 5}


class TestTinySsd(Network):
    component = detection.tiny_ssd
    cases = domains.tiny_ssd
    share = 5
    declines = {"extremes_stay_finite": "its blocks and its base are tried at extremes"}
    prerequisites = ("ssd_base", "downsample_block", "concat_predictions", "multibox_prior")
    invalid = (
        Invalid(ValueError, "an image of 32×32", x=torch.ones(2, 1, 32, 32), params=network(), **SHORT),
        Invalid(
            ValueError,
            "predictors of four maps",
            x=torch.ones(2, 1, 64, 64),
            params={**network(), "classes": network()["classes"][:4]},
            **SHORT,
        ),
        Invalid(
            ValueError,
            "two blocks",
            x=torch.ones(2, 1, 64, 64),
            params={**network(), "blocks": network()["blocks"][:2]},
            **SHORT,
        ),
        Invalid(ValueError, "channels for three anchors", x=torch.ones(2, 1, 64, 64), params=network(count=3), **SHORT),
        Invalid(ValueError, "background only", x=torch.ones(2, 1, 64, 64), params=network(classes=0), **SHORT),
        Invalid(
            ValueError,
            "one anchor a pixel of four maps, two of the fifth",
            x=torch.ones(2, 1, 64, 64),
            params=network(count=1, classes=173),  # 86 pixels and 87 anchors: 86 · 174 scores can be dealt out to them.
            sizes=[[0.2]] * 4 + [[0.2, 0.3]],
            ratios=[[1.0]] * 5,
        ),
        Invalid(
            ValueError,
            "moving statistics of four blocks",
            x=torch.ones(2, 1, 64, 64),
            params=network(),
            **SHORT,
            training=False,
            moving={"base": [still(1)] * 3, "blocks": [still(1)] * 4},
        ),
    )
    edges = (
        {
            "x": torch.ones(1, 1, 64, 64),
            "params": network(),
            **SHORT,
            "training": False,
            "moving": {"base": [still(1)] * 3, "blocks": [still(1)] * 3},
        },
        {
            "x": torch.ones(1, 1, 64, 64),
            "params": network(count=1),
            "sizes": [[0.2]] * 5,
            "ratios": [[1.0]] * 5,
            "training": False,
            "moving": {"base": [still(1)] * 3, "blocks": [still(1)] * 3},
        },
    )

    def test_low_precision(self, impl: Trial, case: Case) -> Any:
        """In bfloat16 and float16 the result stays within the rounding of that dtype."""
        return super().test_low_precision(impl, case) if case.seed % self.share == 0 else self.skip

    def batch(self, case: Case) -> Batch | None:
        # Anchors belong to no sample: their first axis has one place, which narrowing to a sample would miss.
        return None

    def maps(self, case: Case) -> list[tuple[int, int]]:
        """Height and width of the five maps."""
        height, width = case.x.shape[2:]
        return [*((height // 2**k, width // 2**k) for k in (3, 4, 5, 6)), (1, 1)]

    def count(self, case: Case) -> int:
        """Anchors a pixel."""
        return len(case.sizes[0]) + len(case.ratios[0]) - 1

    def test_samples_are_alone_outside_training(self, impl: Trial, case: Case) -> Any:
        """By the moving statistics, samples in another order give their predictions in that order, and the same anchors."""
        moving = case.moving or self.plain(case)
        anchors, scores, boxes = impl(case, training=False, moving=moving)
        turned = impl(case, training=False, moving=moving, x=case.x.flip(0))
        return turned, (anchors, scores.flip(0), boxes.flip(0))

    def plain(self, case: Case) -> Any:
        """Moving statistics that change next to nothing."""
        base = [still(len(part[0]["weight"])) for part in case.params["base"]]
        blocks = [still(len(part[0]["weight"])) for part in case.params["blocks"]]
        return cast({"base": base, "blocks": blocks}, case.dtype)

    def test_anchors_of_five_maps(self, impl: Trial, case: Case) -> Any:
        """The anchors are those of each map, one map after the other, whatever the image holds."""
        priors = [
            detection.multibox_prior(*size, s, r)
            for size, s, r in zip(self.maps(case), case.sizes, case.ratios, strict=True)
        ]
        return impl(case, x=case.noise(case.x.shape, 68))[0], torch.cat(priors, 1)

    def test_predictions_belong_to_the_anchors(self, impl: Trial, case: Case) -> None:
        """There is one row of scores and four offsets for every anchor."""
        anchors, scores, boxes = impl(case)
        total = self.count(case) * sum(height * width for height, width in self.maps(case))
        classes = len(case.params["classes"][0]["weight"]) // self.count(case)
        shapes = tuple(tuple(part.shape) for part in (anchors, scores, boxes))
        n = len(case.x)
        expected = ((1, total, 4), (n, total, classes), (n, 4 * total))
        require(shapes == expected, f"anchors, scores and offsets have the shapes {shapes}, expected {expected}")

    def test_channels_are_counted_anchor_by_anchor(self, impl: Trial, case: Case) -> Any:
        """The score of class j for anchor i of a map comes from channel i·(q + 1) + j, its k-th offset from 4·i + k."""
        count, pixels = self.count(case), [height * width for height, width in self.maps(case)]
        params, wanted = {**case.params}, []
        for name, width in (("classes", len(case.params["classes"][0]["weight"]) // count), ("boxes", 4)):
            # Biases alone: every channel of every map has a number of its own.
            biases = [torch.arange(count * width, dtype=case.dtype) + 100 * k for k in range(5)]
            params[name] = [
                {"weight": torch.zeros_like(part["weight"]), "bias": bias}
                for part, bias in zip(case.params[name], biases, strict=True)
            ]
            rows = torch.cat([bias.repeat(number) for bias, number in zip(biases, pixels, strict=True)])
            wanted.append(rows.expand(len(case.x), -1))
        scores, boxes = impl(case, params=params)[1:]
        return (scores.flatten(1), boxes), tuple(wanted)

    def test_last_map_is_the_largest_of_each_plane(self, impl: Trial, case: Case) -> Any:
        """The fifth map is the largest element of every plane of the fourth."""
        count = self.count(case)
        params = {**case.params}
        middle = torch.zeros_like(case.params["boxes"][3]["weight"])
        middle[0, 0, 1, 1] = 1
        plain = [{"weight": middle, "bias": torch.zeros_like(part["bias"])} for part in case.params["boxes"]]
        # A larger image: the fourth map has four pixels.
        x = case.noise((2, case.x.shape[1], 128, 128), 69)
        boxes = impl(case, x=x, params={**params, "boxes": plain})[2]
        fourth = boxes[:, -4 * count * 5 :: 4 * count][:, :4]
        return boxes[:, -4 * count], fourth.amax(1)

    def test_published_number_of_anchors(self, impl: Trial) -> None:
        """256×256 pixels have 5,444 anchors, with scores of two classes and 21,776 offsets."""
        x = torch.ones(2, 1, published.SIDE, published.SIDE, dtype=self.dtype)
        anchors, scores, boxes = impl.call(x=x, params=cast(network(), self.dtype))
        require(anchors.shape[1] == published.ANCHORS, f"{anchors.shape[1]} anchors, expected {published.ANCHORS}")
        require(tuple(scores.shape[1:]) == published.CLASS_PREDS[1:], f"scores of shape {tuple(scores.shape)}")
        require(tuple(boxes.shape[1:]) == published.BOX_PREDS[1:], f"offsets of shape {tuple(boxes.shape)}")
