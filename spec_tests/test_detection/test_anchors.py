"""Anchors: the boxes predictions start from, which objects they stand for, and what is to be learned."""

import math
from typing import Any

import torch
from torch import Tensor, ones, tensor, zeros

from lawbook.fixtures.cases import detection_boxes as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.published import detection_boxes as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import detection
from lawbook.reference.detection.boxes import overlaps
from lawbook.spec_tests.memory import OwnMemory
from lawbook.spec_tests.spec import Batch, Invalid, Spec, require

BOX = tensor([[0.0, 0.0, 2.0, 2.0]])
# Apart from the box, the same, half as high.
THREE = tensor([[2.0, 0.0, 3.0, 2.0], [0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.0]])


class TestMultiboxPrior(OwnMemory, Spec):
    component = detection.multibox_prior
    cases = domains.multibox_prior
    invalid = (
        Invalid(ValueError, "a map without rows", height=0, width=2, sizes=[0.5], ratios=[1.0]),
        Invalid(ValueError, "a map without columns", height=2, width=0, sizes=[0.5], ratios=[1.0]),
        Invalid(ValueError, "no sizes", height=2, width=2, sizes=[], ratios=[1.0]),
        Invalid(ValueError, "no ratios", height=2, width=2, sizes=[0.5], ratios=[]),
        Invalid(ValueError, "a size of 0", height=2, width=2, sizes=[0.5, 0.0], ratios=[1.0]),
        Invalid(ValueError, "a negative ratio", height=2, width=2, sizes=[0.5], ratios=[1.0, -1.0]),
    )
    edges = (
        {"height": 1, "width": 1, "sizes": [0.5], "ratios": [1.0]},
        {"height": 1, "width": 3, "sizes": [1.0], "ratios": [4.0, 0.25]},
    )
    declines = {
        "extremes_stay_finite": "sizes and proportions are shares of an image",
        "nan_not_hidden": "the arguments are numbers of a configuration",
        "accelerator_agrees": "no argument is a tensor that would say where to compute",
    }

    def spread_out(self, impl: Trial, case: Case) -> tuple[Tensor, Tensor]:
        """Centres and sizes, in pixels: (H, W, n, 2) each."""
        n = len(case.sizes) + len(case.ratios) - 1
        anchors = impl(case)
        expected = (1, case.height * case.width * n, 4)
        require(tuple(anchors.shape) == expected, f"the anchors have shape {tuple(anchors.shape)}, expected {expected}")
        low, high = anchors.view(case.height, case.width, n, 4).split(2, -1)
        pixels = tensor([case.width, case.height], dtype=anchors.dtype)
        return (low + high) / 2 * pixels, (high - low) * pixels

    def test_every_pixel_has_its_anchors_in_turn(self, impl: Trial, case: Case) -> Any:
        """Row by row, pixel by pixel, all anchors of a pixel are centred on its middle."""
        centre, _ = self.spread_out(impl, case)
        y = torch.arange(case.height, dtype=centre.dtype) + 0.5
        x = torch.arange(case.width, dtype=centre.dtype) + 0.5
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[:, :, None]
        return centre, grid.expand_as(centre)

    def test_the_ratio_is_that_of_pixels(self, impl: Trial, case: Case) -> Any:
        """In pixels, width by height is the ratio, on maps of every proportion."""
        _, size = self.spread_out(impl, case)
        ratios = [case.ratios[0]] * len(case.sizes) + list(case.ratios[1:])
        found = size[..., 0] / size[..., 1]
        return found, tensor(ratios, dtype=size.dtype).expand_as(found)

    def test_the_area_does_not_depend_on_the_ratio(self, impl: Trial, case: Case) -> Any:
        """In pixels, the root of the area is the size times the map's height, whatever the ratio."""
        _, size = self.spread_out(impl, case)
        sizes = list(case.sizes) + [case.sizes[0]] * (len(case.ratios) - 1)
        found = (size[..., 0] * size[..., 1]).sqrt()
        return found, (tensor(sizes, dtype=size.dtype) * case.height).expand_as(found)

    def test_published_anchors_of_dog_and_cat(self, impl: Trial) -> None:
        """The note's image has 2,042,040 anchors, and the first of pixel (250, 250) is the printed one."""
        height, width = published.IMAGE
        anchors = impl.call(height=height, width=width, sizes=published.SIZES, ratios=published.RATIOS)
        require(tuple(anchors.shape) == published.ANCHORS_SHAPE, f"the anchors have shape {tuple(anchors.shape)}")
        first = anchors.reshape(height, width, 5, 4)[published.PIXEL][0]
        require(digits(first) == published.FIRST_ANCHOR, f"the first anchor of the pixel is {digits(first)}")

    def test_published_number_of_anchors_of_all_scales(self, impl: Trial) -> None:
        """The five scales of a 256×256 image have 5444 anchors."""
        four = {"sizes": [0.2, 0.272], "ratios": [1, 2, 0.5]}
        total = sum(impl.call(height=side, width=side, **four).shape[1] for side in published.SCALES)
        require(total == published.ALL_ANCHORS, f"{total} anchors, expected {published.ALL_ANCHORS}")


def digits(x: Tensor) -> tuple[str, ...]:
    """Numbers as the textbook prints them."""
    return tuple(f"{value:.2f}" for value in x.tolist())


class TestAssignAnchors(Spec):
    component = detection.assign_anchors
    cases = domains.assign_anchors
    extremes = domains.assign_anchors_extremes
    prerequisites = ("box_iou",)
    invalid = (
        Invalid(ValueError, "a single box without its axis", ground_truth=zeros(4), anchors=zeros(2, 4)),
        Invalid(ValueError, "anchors of 5 numbers", ground_truth=zeros(1, 4), anchors=zeros(2, 5)),
        Invalid(ValueError, "a threshold above 1", ground_truth=BOX, anchors=BOX, threshold=1.5),
        Invalid(ValueError, "a threshold below 0", ground_truth=BOX, anchors=BOX, threshold=-0.5),
        Invalid(TypeError, "anchors of truth values", ground_truth=BOX, anchors=torch.ones(2, 4, dtype=torch.bool)),
    )
    edges = (
        {"ground_truth": zeros(0, 4), "anchors": ones(3, 4)},
        {"ground_truth": ones(2, 4), "anchors": zeros(0, 4)},
        {"ground_truth": zeros(0, 4), "anchors": zeros(0, 4)},
        {"ground_truth": BOX, "anchors": BOX + 5},
    )
    declines = {"nan_not_hidden": "the result holds indices, among which no nan can show"}

    def test_every_box_gets_an_anchor(self, impl: Trial, case: Case) -> None:
        """Where there are enough anchors every box has one; where not, every anchor has a box of its own."""
        assigned = impl(case).tolist()
        boxes, anchors = len(case.ground_truth), len(case.anchors)
        if anchors >= boxes:
            missing = sorted(set(range(boxes)) - set(assigned))
            require(not missing, f"boxes {missing} have no anchor among {assigned}")
        else:
            require(len(set(assigned) - {-1}) == anchors, f"{anchors} anchors for {boxes} boxes, but {assigned}")

    def test_anchors_at_the_threshold_stand_for_an_object(self, impl: Trial, case: Case) -> Any:
        """An anchor whose largest overlap reaches the threshold is no background."""
        if not len(case.ground_truth) or not len(case.anchors):
            return self.skip
        assigned, iou = impl(case), overlaps(case.anchors, case.ground_truth)
        left = ((iou.amax(1) >= case.threshold) & (assigned < 0)).nonzero().flatten().tolist()
        require(not left, f"anchors {left} are background, with overlaps of {iou[left].tolist()}")

    def test_below_the_threshold_a_box_has_one_anchor_at_most(self, impl: Trial, case: Case) -> Any:
        """An anchor that overlaps its box by less than the threshold is the only such one the box has."""
        if not len(case.ground_truth) or not len(case.anchors):
            return self.skip
        assigned, iou = impl(case), overlaps(case.anchors, case.ground_truth)
        for box in range(len(case.ground_truth)):
            weak = ((assigned == box) & (iou[:, box] < case.threshold)).nonzero().flatten().tolist()
            require(len(weak) <= 1, f"box {box} has the anchors {weak}, whose overlaps are below the threshold")

    def test_the_best_pair_stands_together(self, impl: Trial, case: Case) -> Any:
        """The anchor with the largest overlap of all has that box."""
        if not len(case.ground_truth) or not len(case.anchors):
            return self.skip
        anchor, box = divmod(int(overlaps(case.anchors, case.ground_truth).argmax()), len(case.ground_truth))
        found = int(impl(case)[anchor])
        require(found == box, f"anchor {anchor} has box {found}, expected {box}, its overlap is the largest")

    def test_no_boxes_make_background(self, impl: Trial, case: Case) -> Any:
        """Without boxes every anchor is background."""
        assigned = impl(case, ground_truth=case.ground_truth[:0])
        return assigned, torch.full_like(assigned, -1)

    def test_scale_and_place_do_not_matter(self, impl: Trial, case: Case) -> Any:
        """Boxes and anchors that are enlarged and moved together belong together as before."""
        return impl(case, ground_truth=case.ground_truth * 4 + 16, anchors=case.anchors * 4 + 16), impl(case)

    def test_an_overlap_that_equals_the_threshold_counts(self, impl: Trial) -> None:
        """One half reaches one half, and one quarter a quarter."""
        anchors = tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
        for threshold, expected in ((0.75, [0, -1, -1]), (0.5, [0, 0, -1]), (0.25, [0, 0, 0])):
            got = impl.call(ground_truth=BOX, anchors=anchors, threshold=threshold).tolist()
            require(got == expected, f"overlaps of 1, 0.5 and 0.25 at a threshold of {threshold}: {got}")

    def test_of_equal_overlaps_the_first_counts(self, impl: Trial) -> None:
        """Of boxes that fit equally an anchor takes the first, and of anchors that fit equally the first is served first."""
        got = impl.call(ground_truth=BOX.repeat(2, 1), anchors=BOX.repeat(4, 1)).tolist()
        require(got == [0, 1, 0, 0], f"two equal boxes and four equal anchors: {got}")
        apart = impl.call(ground_truth=torch.cat((BOX, BOX + 4)), anchors=BOX.repeat(3, 1) + 9).tolist()
        require(apart == [0, 1, -1], f"two boxes and three anchors without any overlap: {apart}")

    def test_more_boxes_than_anchors_serve_the_closest(self, impl: Trial) -> None:
        """An anchor once taken is not given away to a box that comes later."""
        boxes = tensor([[8.0, 8.0, 9.0, 9.0], [0.0, 0.0, 2.0, 2.0], [4.0, 0.0, 6.0, 2.0]])
        got = impl.call(ground_truth=boxes, anchors=boxes[1:]).tolist()
        require(got == [1, 2], f"two anchors that are boxes 1 and 2 of three: {got}")

    def test_the_best_pair_of_all_comes_before_the_best_of_an_anchor(self, impl: Trial) -> None:
        """Two boxes that like one anchor best: the better keeps it, the other takes its next."""
        boxes = tensor([[0.0, 0.0, 4.0, 3.0], [0.0, 0.0, 4.0, 4.0]])
        anchors = tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 2.0, 4.0, 5.0], [3.0, 3.0, 5.0, 5.0]])
        got = impl.call(ground_truth=boxes, anchors=anchors, threshold=0.9).tolist()
        require(got == [1, 0, -1], f"box 1 is anchor 0, box 0 is nearly: {got}")

    def test_large_boxes_in_half_precision(self, impl: Trial) -> None:
        """Boxes of 1024×1024, whose areas float16 does not hold, are matched as small ones are."""
        got = impl.call(ground_truth=(BOX * 512).half(), anchors=(THREE * 512).half()).tolist()
        require(got == [-1, 0, 0], f"anchors apart, equal and half as high: {got}")

    def test_whole_numbers_do_not_overflow(self, impl: Trial) -> None:
        """Boxes of 3e5 in int32 and of 4e9 in int64, whose areas their dtypes do not hold, are matched as small ones are."""
        for dtype, unit in ((torch.int32, 150_000), (torch.int64, 2**31)):
            got = impl.call(ground_truth=BOX.to(dtype) * unit, anchors=THREE.to(dtype) * unit).tolist()
            require(got == [-1, 0, 0], f"{dtype} anchors apart, equal and half as high: {got}")

    def test_published_assignment(self, impl: Trial) -> None:
        """The textbook's five anchors stand for nothing, dog, cat, nothing and cat."""
        boxes, anchors = tensor(published.OBJECTS)[:, 1:], tensor(published.ANCHORS)
        got = tuple(impl.call(ground_truth=boxes, anchors=anchors).tolist())
        require(got == published.ASSIGNED, f"the anchors stand for {got}")

    def test_a_pair_beyond_two_to_the_24_is_found(self, impl: Trial) -> None:
        """The pair at position 16,777,221 of all anchors and boxes, where float32 skips whole numbers, is the right one."""
        boxes = torch.cat((BOX, BOX + 10, BOX + 20))
        anchors = torch.full((5_592_408, 4), -1.0)
        anchors[:2], anchors[-1] = boxes[1:], boxes[0]
        got = impl.call(ground_truth=boxes, anchors=anchors, threshold=1.0)
        found = (got >= 0).nonzero().flatten().tolist()
        require(found == [0, 1, 5_592_407], f"of 5,592,408 anchors {found} have boxes, expected 0, 1 and the last")


class TestOffsetBoxes(Spec):
    component = detection.offset_boxes
    cases = domains.offset_boxes
    extremes = domains.offset_boxes_extremes
    differentiable = ("anchors", "boxes")
    twice = True
    prerequisites = ("box_corner_to_center",)
    invalid = (
        Invalid(ValueError, "boxes of 3 numbers", anchors=ones(2, 3), boxes=ones(2, 3)),
        Invalid(ValueError, "fewer boxes than anchors", anchors=BOX.repeat(3, 1), boxes=BOX.repeat(2, 1)),
        Invalid(ValueError, "one box for several anchors", anchors=BOX.repeat(3, 1), boxes=BOX),
        Invalid(ValueError, "a negative eps", anchors=BOX, boxes=BOX, eps=-1.0),
        Invalid(TypeError, "whole numbers", anchors=BOX.long(), boxes=BOX.long()),
    )
    edges = (
        {"anchors": zeros(0, 4), "boxes": zeros(0, 4)},
        {"anchors": BOX[0], "boxes": BOX[0] * 2},
        {"anchors": BOX, "boxes": zeros(1, 4)},
    )

    def batch(self, case: Case) -> Batch | None:
        return Batch(output=0, anchors=0, boxes=0) if case.anchors.ndim > 1 else None

    def test_equal_boxes_have_no_offset(self, impl: Trial, case: Case) -> Any:
        """A box that equals its anchor has the offset 0, but for what eps adds to the ratio."""
        none = impl(case, boxes=case.anchors, eps=0.0)
        some = impl(case, boxes=case.anchors)
        sizes = torch.full_like(some[..., 2:], 5 * math.log1p(case.eps))
        return [(none, torch.zeros_like(none)), (some, torch.cat((torch.zeros_like(sizes), sizes), -1))]

    def test_there_and_back(self, impl: Trial, case: Case) -> Any:
        """Without eps, the box that the offset stands for is the box."""
        return detection.offset_inverse(case.anchors, impl(case, eps=0.0)), case.boxes.clone()

    def test_tenths_and_fifths(self, impl: Trial, case: Case) -> Any:
        """A shift by the anchor's own size is 10, e times the size is 5."""
        centre, size = detection.box_corner_to_center(case.anchors).split(2, -1)
        boxes = detection.box_center_to_corner(torch.cat((centre + size, size * math.e), -1))
        offset = impl(case, boxes=boxes, eps=0.0)
        return offset, tensor([10.0, 10.0, 5.0, 5.0]).to(offset.dtype).expand_as(offset)

    def test_scale_and_place_do_not_matter(self, impl: Trial, case: Case) -> Any:
        """Anchors and boxes that are enlarged and moved together have the offsets they had."""
        return impl(case, anchors=case.anchors * 4 + 16, boxes=case.boxes * 4 + 16), impl(case)

    def test_eps_keeps_boxes_without_area_finite(self, impl: Trial, case: Case) -> Any:
        """A point in the anchor's middle has the offset 0, 0 and five times the logarithm of eps."""
        centre = detection.box_corner_to_center(case.anchors)[..., :2]
        offset = impl(case, boxes=torch.cat((centre, centre), -1), eps=0.125)
        sizes = torch.full_like(centre, 5 * math.log(0.125))
        return offset, torch.cat((torch.zeros_like(sizes), sizes), -1)


class TestOffsetInverse(Spec):
    component = detection.offset_inverse
    cases = domains.offset_inverse
    extremes = domains.offset_inverse_extremes
    differentiable = ("anchors", "offsets")
    twice = True
    prerequisites = ("box_corner_to_center", "box_center_to_corner")
    invalid = (
        Invalid(ValueError, "offsets of 3 numbers", anchors=ones(2, 3), offsets=ones(2, 3)),
        Invalid(ValueError, "fewer offsets than anchors", anchors=ones(3, 4), offsets=ones(2, 4)),
        Invalid(ValueError, "one anchor for several offsets", anchors=ones(1, 4), offsets=ones(2, 4)),
        Invalid(TypeError, "whole numbers", anchors=BOX.long(), offsets=BOX.long()),
    )
    edges = (
        {"anchors": zeros(0, 4), "offsets": zeros(0, 4)},
        {"anchors": BOX[0], "offsets": ones(4)},
        {"anchors": BOX, "offsets": zeros(1, 4)},
    )

    def batch(self, case: Case) -> Batch | None:
        return Batch(output=0, anchors=0, offsets=0) if case.anchors.ndim > 1 else None

    def test_no_offset_is_the_anchor(self, impl: Trial, case: Case) -> Any:
        """The offset 0 stands for the anchor itself."""
        return impl(case, offsets=torch.zeros_like(case.offsets)), case.anchors.clone()

    def test_there_and_back(self, impl: Trial, case: Case) -> Any:
        """The offset of the result is the offset."""
        return detection.offset_boxes(case.anchors, impl(case), 0.0), case.offsets.clone()

    def test_tenths_and_fifths(self, impl: Trial, case: Case) -> Any:
        """The offset 10 moves by the anchor's own size, 5 makes it e times as large."""
        offsets = tensor([10.0, 10.0, 5.0, 5.0]).to(case.dtype).expand_as(case.offsets).clone()
        centre, size = detection.box_corner_to_center(case.anchors).split(2, -1)
        expected = detection.box_center_to_corner(torch.cat((centre + size, size * math.e), -1))
        return impl(case, offsets=offsets), expected

    def test_anchors_enlarged_and_moved(self, impl: Trial, case: Case) -> Any:
        """Anchors that are enlarged and moved have boxes that are enlarged and moved alike."""
        return impl(case, anchors=case.anchors * 4 + 16), impl(case) * 4 + 16


class TestMultiboxTarget(Spec):
    component = detection.multibox_target
    cases = domains.multibox_target
    extremes = domains.multibox_target_extremes
    prerequisites = ("assign_anchors", "offset_boxes")
    invalid = (
        Invalid(ValueError, "labels without a batch", anchors=BOX, labels=zeros(2, 5)),
        Invalid(ValueError, "labels without a class", anchors=BOX, labels=zeros(1, 2, 4)),
        Invalid(ValueError, "anchors for every image", anchors=BOX.repeat(2, 1, 1), labels=zeros(2, 1, 5)),
        Invalid(TypeError, "whole anchors", anchors=BOX.long(), labels=zeros(1, 1, 5)),
    )
    edges = (
        {"anchors": BOX, "labels": zeros(1, 0, 5)},
        {"anchors": BOX[None], "labels": zeros(0, 2, 5)},
        {"anchors": zeros(0, 4), "labels": tensor([[[1.0, 0.0, 0.0, 1.0, 1.0]]])},
        {"anchors": BOX, "labels": -ones(1, 1, 5)},
    )
    declines = {"nan_not_hidden": "which anchor a box of nan is matched with is not defined"}

    def batch(self, case: Case) -> Batch:
        return Batch(output=0, labels=0)

    def test_classes_are_one_more_than_the_objects(self, impl: Trial, case: Case) -> Any:
        """Every class that stands in the labels stands among the targets, one larger; anchors may lack for it."""
        classes = impl(case)[2]
        count = case.anchors.shape[-2]
        for image, labels in enumerate(case.labels):
            present = labels[labels[:, 0] >= 0, 0].long() + 1
            if len(present) <= count:
                found, wanted = set(classes[image].tolist()) - {0}, set(present.tolist())
                require(found == wanted, f"the classes of image {image} are {found}, expected {wanted}")
        raised = case.labels.clone()
        raised[..., 0] = torch.where(raised[..., 0] >= 0, raised[..., 0] + 1, -1)
        return impl(case, labels=raised)[2], torch.where(classes > 0, classes + 1, 0)

    def test_background_has_no_offset(self, impl: Trial, case: Case) -> Any:
        """Offsets of background are 0, its mask 0, and the mask of all others 1."""
        offset, mask, classes = impl(case)
        object_ = (classes > 0).repeat_interleave(4, 1)
        return (mask, torch.where(object_, 0.0, offset)), (object_.to(mask.dtype), torch.zeros_like(offset))

    def test_padding_counts_for_nothing(self, impl: Trial, case: Case) -> Any:
        """Rows with the class −1, before, between or behind the others, and whatever their boxes, change nothing."""
        row = tensor([-1.0, 0.0, 0.0, 1.0, 1.0]).to(case.dtype).expand(len(case.labels), 1, 5)
        zero = tensor([-1.0, 0.0, 0.0, 0.0, 0.0]).to(case.dtype).expand(len(case.labels), 1, 5)
        padded = torch.cat((row, case.labels, zero, row), 1)
        return impl(case, labels=padded), impl(case)

    def test_images_with_fewer_objects_are_as_alone(self, impl: Trial, case: Case) -> Any:
        """An image among others with more or fewer objects has the targets that it has alone, without padding."""
        alone = [impl(case, labels=image[image[:, 0] >= 0].unsqueeze(0)) for image in case.labels]
        return impl(case), tuple(torch.cat(parts) for parts in zip(*alone, strict=True))

    def test_images_without_objects_are_background(self, impl: Trial, case: Case) -> Any:
        """Where all rows are padding, every anchor is background."""
        labels = case.labels.clone()
        labels[..., 0] = -1
        found = impl(case, labels=labels)
        return found, tuple(torch.zeros_like(part) for part in found)

    def test_offsets_lead_to_the_objects(self, impl: Trial, case: Case) -> Any:
        """The box that an object's offset stands for is a box of the labels, larger by what eps adds."""
        offset, _, classes = impl(case)
        anchors = case.anchors.view(-1, 4)
        found, expected = [], []
        for image, labels in enumerate(case.labels):
            objects = labels[labels[:, 0] >= 0]
            assigned = detection.assign_anchors(objects[:, 1:], anchors)
            own = (classes[image] > 0) & (assigned >= 0)
            centre, size = detection.box_corner_to_center(objects[assigned[own], 1:]).split(2, -1)
            grown = size + 1e-6 * (anchors[own, 2:] - anchors[own, :2])
            found.append(detection.offset_inverse(anchors[own], offset[image].view(-1, 4)[own]))
            expected.append(detection.box_center_to_corner(torch.cat((centre, grown), -1)))
        return tuple(found), tuple(expected)

    def test_the_anchors_may_have_a_batch_of_one(self, impl: Trial, case: Case) -> Any:
        """Anchors of shape (A, 4) and (1, A, 4) have the same targets."""
        flat = case.anchors.reshape(-1, 4)
        return impl(case, anchors=flat), impl(case, anchors=flat[None])

    def test_published_targets(self, impl: Trial) -> None:
        """The textbook's five anchors have the classes 0, 1, 2, 0, 2 and the printed offsets."""
        offset, mask, classes = impl.call(anchors=tensor(published.ANCHORS), labels=tensor([published.OBJECTS]))
        require(tuple(classes[0].tolist()) == published.CLASSES, f"the classes are {classes[0].tolist()}")
        expected = [float(label > 0) for label in published.CLASSES for _ in range(4)]
        require(mask[0].tolist() == expected, f"the mask is {mask[0].tolist()}")
        for anchor, printed in published.OFFSETS.items():
            for value, text in zip(offset[0].view(-1, 4)[anchor].tolist(), printed, strict=True):
                require(
                    text is None or f"{value:.2e}" == text, f"an offset of anchor {anchor} is {value:.2e}, not {text}"
                )
