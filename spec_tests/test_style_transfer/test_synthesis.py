"""Features of layers, and the descent on the pixels."""

from typing import Any

import torch
from torch import Tensor, ones, zeros

from lawbook.fixtures.cases import style_transfer as domains
from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.cases.modules import add_one, bell, double, square
from lawbook.fixtures.implementation import NotOffered
from lawbook.fixtures.published import style_transfer as published
from lawbook.fixtures.trial import Trial
from lawbook.reference import style_transfer
from lawbook.spec_tests.spec import Invalid, Spec, require


class Counted:
    """A layer that counts how often it is run."""

    def __init__(self, layer: Any):
        self.layer = layer
        self.runs = 0

    def __call__(self, x: Any) -> Any:
        self.runs += 1
        return self.layer(x)


def halve_in_place(x: Any) -> Any:
    """Half of everything, written into the argument where the arrays can be written to."""
    x *= 0.5
    return x


class TestExtractFeatures(Spec):
    component = style_transfer.extract_features
    cases = domains.extract_features
    differentiable = ("x",)
    declines = {
        "extremes_stay_finite": "what becomes of extreme values is the layers' affair",
        "samples_independent": "a layer may mix what it is given",
    }
    invalid = (
        Invalid(
            IndexError, "a style beyond the last layer", x=ones(2), layers=[double], style_ids=(1,), content_ids=()
        ),
        Invalid(
            IndexError, "content beyond the last layer", x=ones(2), layers=[double], style_ids=(), content_ids=(3,)
        ),
        Invalid(
            IndexError, "a layer from the end", x=ones(2), layers=[double, square], style_ids=(-1,), content_ids=()
        ),
        Invalid(IndexError, "a layer of none", x=ones(2), layers=[], style_ids=(0,), content_ids=()),
    )
    edges = (
        {"x": ones(1, 1, 1, 1), "layers": [double], "style_ids": (0,), "content_ids": (0,)},
        {"x": zeros(1, 3, 0, 2), "layers": [double, square], "style_ids": (), "content_ids": (1,)},
        {"x": ones(2, 2), "layers": [], "style_ids": (), "content_ids": ()},
    )

    def test_stops_at_the_deepest_layer_needed(self, impl: Trial, case: Case) -> None:
        """Layers behind the deepest one needed are not run, and every one before it once."""
        layers = [Counted(layer) for layer in [*case.layers, double, square]]
        impl(case, layers=layers)
        deepest = max((*case.style_ids, *case.content_ids), default=-1)
        for k, layer in enumerate(layers):
            wanted = int(k <= deepest)
            require(
                layer.runs == wanted,
                f"layer {k} is run {layer.runs} times, expected {wanted}; {deepest} is the deepest",
            )

    def test_feature_is_what_its_layer_gives(self, impl: Trial, case: Case) -> Any:
        """Of each position the feature is the image after that layer: counted from 0, its own layer included."""
        h, equations = case.x, []
        for k, layer in enumerate(case.layers):
            h = layer(h)
            contents, styles = impl(case, content_ids=(k,), style_ids=(k,))
            equations.append(((*contents, *styles), (h, h)))
        return equations

    def test_contents_come_first(self, impl: Trial, case: Case) -> None:
        """There are as many contents as different content positions, then as many styles."""
        counts = [len(part) for part in impl(case)]
        wanted = [len(set(case.content_ids)), len(set(case.style_ids))]
        require(counts == wanted, f"{counts[0]} contents and {counts[1]} styles, expected {wanted[0]} and {wanted[1]}")

    def test_order_of_the_positions_does_not_matter(self, impl: Trial, case: Case) -> Any:
        """Features come in the order of the layers."""
        return impl(case, style_ids=case.style_ids[::-1], content_ids=case.content_ids[::-1]), impl(case)

    def test_later_layers_do_not_touch_what_was_kept(self, impl: Trial) -> None:
        """A layer that writes into what it is given, as an in-place ReLU does, changes neither the image nor features before."""
        x = torch.arange(1.0, 5.0).view(1, 1, 2, 2)
        arguments: dict[str, Any] = {
            "x": x.clone(),
            "layers": [halve_in_place, double, halve_in_place],
            "style_ids": (0, 1, 2),
            "content_ids": (1,),
        }
        _, (contents, styles) = impl.call_with(arguments)
        require(torch.equal(arguments["x"], x), f"the image became {arguments['x'].tolist()}")
        for name, found, factor in (
            ("content 1", contents[0], 1.0),
            *zip(("style 0", "style 1", "style 2"), styles, (0.5, 1, 0.5), strict=True),
        ):
            require(torch.equal(found, factor * x), f"{name} is {found.tolist()}, expected {(factor * x).tolist()}")

    def test_published_layers(self, impl: Trial) -> None:
        """Note 004: of VGG-19's 37 layers those from 0 to 28 are run, for five styles and one content."""
        layers = [Counted(add_one) for _ in range(37)]
        x = zeros(1, 1, 2, 2)
        contents, styles = impl.call(
            x=x, layers=layers, style_ids=published.STYLE_IDS, content_ids=published.CONTENT_IDS
        )
        runs = sum(layer.runs for layer in layers)
        require(runs == published.LAYERS_NEEDED, f"{runs} layers are run, expected {published.LAYERS_NEEDED}")
        found = [[int(h.flatten()[0]) - 1 for h in part] for part in (contents, styles)]
        wanted = [list(published.CONTENT_IDS), list(published.STYLE_IDS)]
        require(found == wanted, f"contents and styles are of layers {found}, expected {wanted}")


def loss_of(case: Case, image: Tensor) -> Tensor:
    """The loss that ``synthesize`` is to lower, of one image."""
    targets, _ = style_transfer.extract_features(case.content, case.layers, (), case.content_ids)
    _, styles = style_transfer.extract_features(case.style, case.layers, case.style_ids, ())
    grams = [style_transfer.gram(features) for features in styles]
    contents, styles = style_transfer.extract_features(image, case.layers, case.style_ids, case.content_ids)
    return style_transfer.transfer_loss(
        [style_transfer.content_loss(*pair) for pair in zip(contents, targets, strict=True)],
        [style_transfer.style_loss(*pair) for pair in zip(styles, grams, strict=True)],
        style_transfer.tv_loss(image),
        case.weights,
    )


def slope_at(case: Case, image: Tensor) -> Tensor:
    """The gradient of that loss."""
    with torch.enable_grad():
        image = image.detach().requires_grad_(True)
        return torch.autograd.grad(loss_of(case, image), image)[0]


class Weighted:
    """A layer with a parameter, as a network's have."""

    def __init__(self) -> None:
        self.weight = torch.full((1,), 1.5, requires_grad=True)

    def __call__(self, x: Tensor) -> Tensor:
        return x * self.weight.to(x.dtype)


NET: dict[str, Any] = {"layers": [double, square], "style_ids": (1,), "content_ids": (0,), "steps": 1}


class TestSynthesize(Spec):
    component = style_transfer.synthesize
    cases = domains.synthesize
    extremes = domains.synthesize_extremes
    prerequisites = ("extract_features", "transfer_loss", "adam")
    declines = {
        "low_precision": "Adam's eps of 1e-8 is 0 in float16, and in half precision the signs of small gradients, which its "
        "first steps take, are those of rounding errors",
        "nan_not_hidden": "a nan makes the loss nan, and with it every pixel it pulls at: 'the first step goes against the "
        "gradient' says which these are",
    }
    invalid = (
        Invalid(
            ValueError,
            "a rate that falls every 0 of no steps",
            content=ones(1, 3, 4, 4),
            style=ones(1, 3, 4, 4),
            **{**NET, "steps": 0},
            decay_every=0,
        ),
        Invalid(ValueError, "two images of content", content=ones(2, 3, 4, 4), style=ones(1, 3, 4, 4), **NET),
        Invalid(ValueError, "an image of two axes", content=ones(4, 4), style=ones(1, 3, 4, 4), **NET),
        Invalid(
            ValueError, "styles of another number of channels", content=ones(1, 3, 4, 4), style=ones(1, 2, 4, 4), **NET
        ),
        Invalid(
            ValueError, "steps backwards", content=ones(1, 3, 4, 4), style=ones(1, 3, 4, 4), **{**NET, "steps": -1}
        ),
        Invalid(
            ValueError,
            "a style without rows that no layer reads",
            content=ones(1, 3, 4, 4),
            style=ones(1, 3, 0, 4),
            **{**NET, "style_ids": ()},
        ),
        Invalid(ValueError, "a negative rate", content=ones(1, 3, 4, 4), style=ones(1, 3, 4, 4), **NET, lr=-0.25),
        Invalid(
            ValueError,
            "a rate that changes sign",
            content=ones(1, 3, 4, 4),
            style=ones(1, 3, 4, 4),
            **NET,
            lr_decay=-0.5,
        ),
        Invalid(ValueError, "a rate that grows", content=ones(1, 3, 4, 4), style=ones(1, 3, 4, 4), **NET, lr_decay=1.5),
        Invalid(
            IndexError,
            "a layer beyond the last",
            content=ones(1, 3, 4, 4),
            style=ones(1, 3, 4, 4),
            **{**NET, "style_ids": (2,)},
        ),
    )
    edges = (
        {"content": ones(1, 1, 2, 2) * 2, "style": ones(1, 1, 2, 3), **{**NET, "steps": 0}},
        {"content": torch.arange(4.0).view(1, 1, 2, 2), "style": ones(1, 1, 1, 1), **NET, "weights": (1.0, 1.0, 0.0)},
        {"content": torch.arange(4.0).view(1, 1, 2, 2), "style": ones(1, 1, 1, 2), **NET, "steps": 51, "lr": 0.01},
    )

    def rows(self, case: Case) -> tuple[int, ...]:
        return (-1, -2, -3)

    def test_starts_from_the_content(self, impl: Trial, case: Case) -> Any:
        """Without a step the image is the content, and the one loss is its own."""
        return impl(case, steps=0), (case.content, loss_of(case, case.content)[None])

    def test_first_step_goes_against_the_gradient(self, impl: Trial, case: Case) -> Any:
        """The first step moves each pixel by lr · g / (|g| + 1e-8) against its gradient g."""
        slope = slope_at(case, case.content)
        return impl(case, steps=1)[0], case.content - case.lr * slope / (slope.abs() + 1e-8)

    def test_losses_are_those_of_the_images(self, impl: Trial, case: Case) -> Any:
        """The first loss is the content's, the last one that of the image returned."""
        image, losses = impl(case)
        return (losses[0], losses[-1]), (loss_of(case, case.content), loss_of(case, image))

    def test_longer_runs_begin_like_shorter_ones(self, impl: Trial, case: Case) -> Any:
        """The losses up to the second step do not depend on how many follow."""
        return impl(case, steps=2)[1][:2], impl(case, steps=1)[1]

    def test_rate_falls_every_so_many_steps(self, impl: Trial, case: Case) -> Any:
        """With a decay to almost nothing after every step, only the first one moves the image."""
        return impl(case, steps=3, decay_every=1, lr_decay=2.0**-60)[0], impl(case, steps=1)[0]

    def test_rate_stays_until_then(self, impl: Trial, case: Case) -> Any:
        """While no decay is due, its factor does not matter."""
        return impl(case, steps=2, decay_every=2, lr_decay=0.25), impl(case, steps=2, decay_every=7, lr_decay=1.0)

    def test_rate_of_zero_moves_nothing(self, impl: Trial, case: Case) -> Any:
        """With a rate of 0 the image stays the content."""
        return impl(case, lr=0.0)[0], case.content

    def test_weights_of_zero_move_nothing(self, impl: Trial, case: Case) -> Any:
        """What weighs nothing does not pull."""
        image, losses = impl(case, weights=(0.0, 0.0, 0.0))
        return (image, losses), (case.content, torch.zeros_like(losses))

    def test_place_in_the_style_does_not_matter(self, impl: Trial, case: Case) -> Any:
        """For layers that look at each pixel by itself, a style turned upside down and tiled is the same style."""
        net = {"layers": [bell, double], "style_ids": (0, 1), "content_ids": (1,)}
        turned = case.style.flip(2).repeat(1, 1, 1, 2)
        return impl(case, style=turned, **net), impl(case, **net)

    def test_only_the_image_changes(self, impl: Trial, case: Case) -> None:
        """A network's parameters keep their values and receive no gradient."""
        if impl.implementation.bridge != "torch":
            raise NotOffered("arrays of other libraries have no gradients that could be written to")
        layer = Weighted()
        impl(case, layers=[layer, bell], style_ids=(0, 1), content_ids=(1,), steps=2)
        require(float(layer.weight.detach()) == 1.5, f"the parameter of 1.5 became {layer.weight.tolist()}")
        require(layer.weight.grad is None, f"the parameter has the gradient {layer.weight.grad}")
        require(layer.weight.requires_grad, "the parameter cannot be trained any more")

    def test_loss_falls(self, impl: Trial) -> None:
        """In forty steps at a rate of 0.05 the loss falls to less than a half, and the style's part of it with it."""
        generator = torch.Generator().manual_seed(17)
        content, style = (torch.randn(1, 3, n, n + 1, generator=generator) * s for n, s in ((8, 1.0), (9, 2.0)))
        given: dict[str, Any] = {"layers": list(domains.SMOOTH[:3]), "style_ids": (0, 2), "content_ids": (1,)}
        given |= {"lr": 0.05, "weights": (1.0, 1e3, 0.25), "lr_decay": 0.8, "decay_every": 20}
        image, losses = impl.call(content=content, style=style, steps=40, **given)
        first, last = float(losses[0]), float(losses[-1])
        require(last < first / 2, f"the loss is {first:.4g} at first and {last:.4g} at last")
        case = Case({"content": content, "style": style, **given}, torch.float32)
        before, after = (float(loss_of(case.but(weights=(0.0, 1.0, 0.0)), x)) for x in (content, image))
        require(after < before / 2, f"the style's loss is {before:.4g} at first and {after:.4g} at last")
