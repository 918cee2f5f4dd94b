"""What the Specs of the cnn chapter share: published sizes, every layer in use, renamed channels, norms, dropout."""

import math
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case
from lawbook.fixtures.implementation import NotOffered
from lawbook.fixtures.published import cnn as published
from lawbook.fixtures.tree import leaves, map_leaves
from lawbook.fixtures.trial import Trial
from lawbook.reference import cnn
from lawbook.reference.cnn.layers import parameter_count
from lawbook.reference.convolution import conv2d
from lawbook.spec_tests.chance import ALARM
from lawbook.spec_tests.spec import Batch, Spec, require
from lawbook.spec_tests.test_cnn.initial import Helpers, helper


def ramp(*shape: int) -> Tensor:
    """Distinct numbers between −1 and 1, in no order."""
    count = max(1, math.prod(shape))
    return torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) * 2.3 + 0.4 + count).reshape(shape)


def layer(*shape: int) -> dict[str, Tensor]:
    """A small layer with a bias."""
    return {"weight": ramp(*shape), "bias": ramp(shape[0]).abs()}


def norm(channels: int) -> dict[str, Tensor]:
    """A small norm."""
    ones = torch.ones(channels, dtype=torch.float64)
    return {"gamma": ones * 1.5, "beta": ones * 0.25, "moving_mean": ones * 0.5, "moving_var": ones * 2}


def replaced(tree: Any, path: Sequence[Any], value: Any) -> Any:
    """A copy of nested dicts and lists with another value at a path."""
    if not path:
        return value
    changed = dict(tree) if isinstance(tree, dict) else list(tree)
    changed[path[0]] = replaced(tree[path[0]], path[1:], value)
    return changed


def without(tree: dict, key: str) -> dict:
    """The dict without a key."""
    return {name: value for name, value in tree.items() if name != key}


def at(tree: Any, path: Sequence[Any]) -> Any:
    """What stands at a path."""
    for step in path:
        tree = tree[step]
    return tree


def convolutions_before_norms(params: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """The paths of every layer and of the norm that follows it."""
    if isinstance(params, list | tuple):
        return [pair for k, part in enumerate(params) for pair in convolutions_before_norms(part, (*path, k))]
    if not isinstance(params, dict) or "weight" in params or "gamma" in params:
        return []
    found = []
    for key, part in params.items():
        follower = {"shortcut": "shortcut_norm"}.get(key, key.replace("conv", "norm"))
        if key in ("dense1", "dense2") and "norm4" in params:
            follower = {"dense1": "norm3", "dense2": "norm4"}[key]
        if follower != key and follower in params:
            found.append(((*path, key), (*path, follower)))
        found += convolutions_before_norms(part, (*path, key))
    return found


def positive(params: Any, like: torch.dtype) -> Any:
    """Parameters of the same shapes with which nothing is ever cut off: weights and biases above 0, norms close to 1."""

    def made(path: str, leaf: Tensor) -> Tensor:
        if "moving_mean" in path:
            return torch.zeros(leaf.shape, dtype=like)
        if "norm" in path:
            return torch.full(leaf.shape, 1.0 if "var" in path else 0.5, dtype=like)
        numbers = (ramp(*leaf.shape) + 2) / 4
        return (numbers / max(1, math.prod(leaf.shape[1:]))).to(like)

    paths = iter([path for path, _ in leaves(params)])
    return map_leaves(lambda leaf: made(next(paths), leaf), params)


def depth(params: Any) -> int:
    """Layers with weights that lie one behind the other; shortcuts and norms do not count."""
    if isinstance(params, list | tuple):
        return sum(map(depth, params))
    if not isinstance(params, dict):
        return 0
    if "weight" in params:
        return 1
    counts = [depth(part) for key, part in params.items() if key != "shortcut"]
    return max(counts) if "path1" in params else sum(counts)


class Images(Spec):
    """Samples are treated alone, but where a norm goes by the statistics of the batch."""

    # Whether a nan among the weights meets the zeros of padding is left open: libraries leave those products out.
    nan_arguments: tuple[str, ...] | None = ("x",)

    def batch(self, case: Case) -> Batch | None:
        mixed = case.arguments.get("training") and any("gamma" in path for path, _ in leaves(case.params))
        return None if mixed else Batch(output=0, x=0)


def rectified(x, given, stride=1, padding=0):
    """A convolution by the convolution chapter, and relu."""
    return torch.relu(conv2d(x, given["weight"], given.get("bias"), stride, padding))


class Homogeneous(Images):
    """Blocks of convolutions, rectifiers and maxima."""

    def test_scale_passes_through_without_biases(self, impl, case):
        """Without biases, four times the image gives four times the result."""
        bare = unbiased(case.params)
        return impl(case, x=4 * case.x, params=bare), 4 * impl(case, params=bare)

    def test_nothing_negative_comes_out(self, impl, case):
        """The last thing that happens to a channel is relu, or a maximum of what relu gave."""
        y = impl(case)
        require((y >= 0).all(), f"a result is {y.min().item():g}, expected none below 0", got=y)


def unbiased(params):
    """The same layers without biases."""
    if isinstance(params, list | tuple):
        return [unbiased(part) for part in params]
    return {"weight": params["weight"]} if "weight" in params else {key: unbiased(part) for key, part in params.items()}


class Network(Images):
    """Laws of whole networks.

    Class attributes:
        image: (channels, height, width) as published.
        stages: output shape of every stage for one such image, by name.
        classes: of the published network.
        parameters: how many numbers the published network learns.
        helpers: what ``<name>_init``, ``<name>_shapes`` and ``<name>_parameter_count`` are tried with.
    """

    image: tuple[int, int, int]
    stages: dict[str, tuple[int, ...]]
    classes: int
    parameters: int
    helpers: Helpers

    def test_published_shapes_and_parameter_count(self, impl: Trial) -> None:
        """With the published number of parameters an image of the published size gives the published stages; what an
        implementation offers to make parameters, count them and list shapes does what lawbook's does."""
        self.helpers.check(impl, self.image)
        self.check_published(impl, self.image, self.stages, self.parameters)

    def check_published(self, impl: Trial, image, stages, parameters, **options: Any) -> None:
        """The law for one set of sizes; ``options`` are further arguments of the network."""
        name, asked = impl.component, False
        params = getattr(cnn, f"{name}_init")(0, in_channels=image[0], classes=self.classes, device="meta", **options)
        require(parameter_count(params) == parameters, f"lawbook's {name} has {parameter_count(params)} parameters")
        offered = {what: helper(impl, f"{name}_{what}") for what in ("parameter_count", "shapes")}
        if offered["parameter_count"]:
            asked = True
            count = offered["parameter_count"](in_channels=image[0], classes=self.classes, **options)
            require(count == parameters, f"{name}_parameter_count gives {count}, published are {parameters}")
        if offered["shapes"]:
            asked = True
            found = {
                stage: tuple(shape) for stage, shape in offered["shapes"]((1, *image), classes=self.classes, **options)
            }
            expected = {stage: (1, *shape) for stage, shape in stages.items()}
            require(found == expected, f"{name}_shapes gives {found}, published are {expected}")
        if impl.implementation.bridge == "torch":
            # Without memory: tensors on the device meta have shapes only.
            asked = True
            logits = impl.call(x=torch.empty((1, *image), device="meta"), params=params, **options)
            shape = tuple(getattr(logits, "shape", ()))
            require(shape == (1, self.classes), f"logits have shape {shape}, expected {(1, self.classes)}")
        if not asked:
            raise NotOffered(f"{impl.implementation.name} counts no parameters and takes no tensors without memory")

    def thin(self) -> dict[str, Any]:
        """Arguments with every published layer, most of a channel or two, and an image as small as may be."""
        raise NotImplementedError

    def test_every_published_layer_takes_part(self, impl: Trial) -> float:
        """As deep as published, the network gives what the reference gives, and every one of its layers matters."""
        return self.check_depth(impl, self.thin(), published.LAYERS[self.name])

    def check_depth(self, impl: Trial, arguments: dict[str, Any], layers: int) -> float:
        """The law for one set of arguments."""
        params = positive(arguments["params"], self.dtype)
        require(depth(params) == layers, f"lawbook's {self.name} has {depth(params)} layers, published are {layers}")
        case = Case({**arguments, "x": ramp(*arguments["x"]) + 2, "params": params}, self.dtype)
        share = self.oracle.check_value(impl(case), case, self.rows(case))
        if not impl.implementation.has_gradients:
            return share
        logits = (len(case.x), self.classes_of(case))
        _, grads = impl.vjp(case, cotangent=torch.ones(logits, dtype=self.dtype), wrt=("params",))
        for path, grad in leaves(grads):
            if path.endswith("['weight']"):
                require((grad != 0).any(), f"{path.removeprefix('params')} has no influence on the logits")
        return share

    def classes_of(self, case: Case) -> int:
        """How many logits a case has."""
        return int(self.oracle.form(case).shape[-1])


class Normed(Spec):
    """Laws of networks and blocks with batch norms."""

    def test_mode_is_the_flag(self, impl: Trial, case: Case) -> Any:
        """Whether gradients are recorded does not decide the mode: training without and evaluation with them are themselves."""
        found = []
        for record in (False, True):
            with torch.set_grad_enabled(record):
                found.append([impl(case, training=training) for training in (True, False)])
        return list(zip(*found, strict=True))

    def test_training_ignores_the_moving_statistics(self, impl: Trial, case: Case) -> Any:
        """In training the batch's own statistics count, whatever the moving ones are."""
        paths = iter([path for path, _ in leaves(case.params)])

        def other(leaf: Tensor) -> Tensor:
            return leaf + 1 if "moving" in next(paths) else leaf

        return impl(case, training=True, params=map_leaves(other, case.params)), impl(case, training=True)


class Shifted(Spec):
    """Laws of what comes before a norm."""

    def test_moving_means_undo_biases(self, impl: Trial, case: Case) -> Any:
        """In evaluation a bias before a norm and the same number added to its moving mean cancel, at every norm."""
        params = case.params
        for k, (before, after) in enumerate(convolutions_before_norms(params)):
            mean = at(params, (*after, "moving_mean"))
            extra = case.noise(mean.shape, 300 + k)
            bias = at(params, before).get("bias", torch.zeros_like(mean))
            params = replaced(params, before, {**at(params, before), "bias": bias + extra})
            params = replaced(params, (*after, "moving_mean"), mean + extra)
        return impl(case, training=False, params=params), impl(case, training=False)

    def test_biases_before_norms_do_nothing_in_training(self, impl: Trial, case: Case) -> Any:
        """In training whatever a bias adds to a channel before its norm, the batch's mean takes away."""
        params = case.params
        for k, (before, after) in enumerate(convolutions_before_norms(params)):
            gamma = at(params, (*after, "gamma"))
            bias = at(params, before).get("bias", torch.zeros_like(gamma)) + case.noise(gamma.shape, 300 + k)
            params = replaced(params, before, {**at(params, before), "bias": bias})
        return impl(case, training=True, params=params), impl(case, training=True)


def renamed(case: Case, path: Sequence[Any], follower: Sequence[Any], norm_at: Sequence[Any] | None = None) -> Case:
    """The case with the outputs of one layer in another order, and the inputs of the next, channel by channel."""
    params = case.params
    here, there = at(params, path), at(params, follower)
    count = here["weight"].shape[0]
    order = torch.randperm(count, generator=case.generator(crc32(str(tuple(path)).encode())))
    params = replaced(params, path, {key: value[order] for key, value in here.items()})
    weight = there["weight"]
    grouped = weight.unflatten(1, (count, weight.shape[1] // count))[:, order].flatten(1, 2)
    params = replaced(params, follower, {**there, "weight": grouped})
    if norm_at is not None:
        params = replaced(params, norm_at, {key: value[order] for key, value in at(params, norm_at).items()})
    return case.but(params=params)


class Dropped(Spec):
    """Laws of networks with dropout."""

    # How many dropouts every logit of ``masks`` has passed.
    passed: int

    def masks(self, samples: int, width: int) -> dict[str, Any]:
        """Arguments with which every logit is the product of what dropouts make of a 1."""
        raise NotImplementedError

    def test_dropout_drops_in_training_alone(self, impl: Trial) -> None:
        """Training zeroes each unit with the chance given and scales the others by 1 / (1 − p); evaluation does neither."""
        samples, width = 30, 48
        given = Case(self.masks(samples, width), self.dtype)
        evaluated = impl(given, training=False, dropout=0.5, seed=None)
        require((evaluated == 1).all(), "units that are all 1 do not stay 1 outside training", got=evaluated)
        for p in (0.5, 0.25):
            found = impl(given, training=True, dropout=p, seed=11)
            kept = found != 0
            share, wanted = float(kept.double().mean()), (1 - p) ** self.passed
            limit = math.sqrt(math.log(2 / ALARM) / (2 * found.numel()))
            require(
                abs(share - wanted) <= limit, f"{share:.3f} of the units are kept, expected {wanted:.3f} ± {limit:.3f}"
            )
            scale = float(found[kept].double().mean()) if kept.any() else math.nan
            require(
                abs(scale * wanted - 1) < 1e-3, f"what is kept of a 1 becomes {scale:.4f}, expected {1 / wanted:.4f}"
            )
            again, other = (impl(given, training=True, dropout=p, seed=seed) for seed in (11, 12))
            require(torch.equal(again, found), "the same seed drops other units")
            require(not torch.equal(other, found), "another seed drops the same units")
            # Independent rows agree in a share of 1 − 2q(1 − q), never in all places.
            require((kept != kept.roll(1, 0)).any(1).all(), "two neighbouring images lose the same units")
