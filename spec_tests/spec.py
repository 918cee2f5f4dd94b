"""Spec: what must hold for one component. Subclass it, name the component and its domain, add its own laws."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lawbook.fixtures.cases.kit import Case, Domain
from lawbook.fixtures.implementation import Implementation
from lawbook.fixtures.trial import Trial
from lawbook.reference import chapter_order
from lawbook.spec_tests.arguments import HALVES, defaults
from lawbook.spec_tests.devices import Device
from lawbook.spec_tests.judge import Axes, LawBroken, Order
from lawbook.spec_tests.layouts import KINDS
from lawbook.spec_tests.oracle import Oracle
from lawbook.spec_tests.universal import UniversalLaws

__all__ = ["Batch", "Invalid", "Spec", "registry", "require", "skip_case"]


class _Skip:
    def __repr__(self) -> str:
        return "skip_case"


skip_case = _Skip()
"""What a law returns when it says nothing about a case."""

_REGISTRY: dict[str, type["Spec"]] = {}


def require(condition: Any, message: str, **evidence: Any) -> None:
    """Raise LawBroken with ``message`` unless the condition holds."""
    if not bool(condition):
        raise LawBroken(message, kind="law", **evidence)


class Invalid:
    """Arguments that must be refused.

    Args:
        error: what the reference raises; an implementation may raise any exception.
        what: the mistake in words, such as "an axis beyond the last".
    """

    def __init__(self, error: type[Exception], what: str, **arguments: Any):
        self.error = error
        self.what = what
        self.arguments = arguments


class Batch:
    """Which axis counts samples, of the result (one axis, or one for every tensor in it) and of arguments by name."""

    def __init__(self, output: int | tuple[int, ...] = 0, **arguments: int):
        self.output = output
        self.arguments = arguments

    def of_result(self, pick: Callable[[Tensor, int], Tensor], result: Any) -> Any:
        """``pick(tensor, axis)`` of every tensor in the result."""
        axes = iter(self.output) if isinstance(self.output, tuple) else None

        def walk(part: Any) -> Any:
            if isinstance(part, Tensor):
                return pick(part, next(axes) if axes else self.output)  # type: ignore[arg-type]
            if isinstance(part, list | tuple):
                return tuple(walk(x) for x in part)
            if isinstance(part, dict):
                return {key: walk(x) for key, x in part.items()}
            return part

        return walk(result)


class Spec(UniversalLaws):
    """One component on trial.

    Class attributes:
        component: the reference function; its name and module give component and chapter.
        cases: the domain the laws run over.
        differentiable: arguments whose gradient is judged.
        twice: whether the second derivative is judged.
        invalid: arguments that must be refused.
        edges: arguments with empty and size-1 dimensions.
        extremes: a domain of extreme but legal values with a finite result.
        nan_arguments: arguments in which the nan law hides a nan; None stands for all.
        without_effect: how the paths of parameters end that no result depends on: they hold no nan.
        low_precisions: dtypes of the low-precision law, and those of half precision that may be the working one.
        low_gradients: whether that law judges gradients too: where nobody's own algorithm overflows or underflows.
        orders: context managers under which the reference takes its operations in another order that is as good; what is
            rounded there widens the yardstick too.
        layouts: of the law of memory layout, of ``layouts.KINDS``.
        declines: universal laws that do not apply, each with its reason in words.
        prerequisites: components to look at first when this one fails.
        cost: how many usual cases one case is worth; so many times fewer are judged, but always one.
    """

    component: Callable[..., Any]
    cases: Domain
    differentiable: tuple[str, ...] = ()
    twice: bool = False
    invalid: tuple[Invalid, ...] = ()
    edges: tuple[dict[str, Any], ...] = ()
    extremes: Domain | None = None
    nan_arguments: tuple[str, ...] | None = None
    without_effect: tuple[str, ...] = ()
    low_precisions: tuple[torch.dtype, ...] = HALVES
    low_gradients: bool = False
    orders: tuple[Order, ...] = ()
    layouts: tuple[str, ...] = KINDS
    declines: dict[str, str] = {}
    prerequisites: tuple[str, ...] = ()
    cost: int = 1

    name: str
    chapter: str
    skip = skip_case

    # Set for every trial.
    oracle: Oracle
    dtype: torch.dtype = torch.float32
    device: Device
    tried: int = 0

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        component = cls.__dict__.get("component") or getattr(cls, "component", None)
        if component is None:
            return
        cls.component = staticmethod(component)
        cls.name = component.__name__
        cls.chapter = component.__module__.removeprefix("lawbook.reference.").partition(".")[0]
        for name in cls.law_names():
            law, attribute = cls.law(name), f"test_{name}"
            # pytest collects in the order in which a class got its attributes; what is only replaced keeps its place.
            if attribute in vars(cls):
                delattr(cls, attribute)
            setattr(cls, attribute, _as_pytest_function(cls, name, law))
        # Subclasses in someone's own repository do not take the place of the spec they build on.
        if cls.__module__.removeprefix("lawbook.").startswith("spec_tests."):
            _REGISTRY[cls.name] = cls

    def rows(self, case: Case) -> Axes:
        """The axis (or axes) of the result along which one row runs: the judge looks at rows one by one."""
        return -1

    def batch(self, case: Case) -> Batch | None:
        """Which axes count samples that must not influence each other; None where they mix."""
        return None

    @classmethod
    def law_names(cls) -> list[str]:
        """Laws in the order they are judged: agreement first, own laws last."""
        universal = [name for name in vars(UniversalLaws) if name.startswith("test_")]
        own = [name for base in reversed(cls.__mro__) for name in vars(base) if name.startswith("test_")]
        return [name.removeprefix("test_") for name in dict.fromkeys([*universal, *own])]

    @staticmethod
    def is_universal(law: str) -> bool:
        """Whether every Spec has that law."""
        return hasattr(UniversalLaws, f"test_{law}")

    @classmethod
    def law(cls, name: str) -> Callable[..., Any]:
        """The law's own function."""
        found = getattr(cls, f"test_{name}")
        return getattr(found, "law", found)

    @classmethod
    def laws(cls) -> dict[str, str]:
        """Every law with what it says, in one line."""
        return {name: (inspect.getdoc(cls.law(name)) or name).partition("\n")[0] for name in cls.law_names()}

    @classmethod
    def domain_of(cls, law: str) -> Domain | None:
        """The domain a law runs over; None for laws without cases."""
        if "case" not in inspect.signature(cls.law(law)).parameters:
            return None
        return cls.extremes if law == "extremes_stay_finite" else cls.cases

    @classmethod
    def inapplicable(cls, law: str, implementation: Implementation, dtype: torch.dtype = torch.float32) -> str | None:
        """Why a law does not apply to this component, implementation and working dtype, in words; None when it does."""
        if law in cls.declines:
            return cls.declines[law]
        if law == "many_samples" and "agrees_with_reference" in cls.declines:
            return cls.declines["agrees_with_reference"]
        gradients = law in ("gradient_agrees", "second_derivative_agrees")
        if gradients and not cls.differentiable:
            return "the contract has no differentiable argument"
        if law == "second_derivative_agrees" and not cls.twice:
            return "the contract asks for first derivatives only"
        if gradients and not implementation.has_gradients:
            return f"{implementation.name} offers no gradients"
        if law == "defaults_agree" and not defaults(cls.component):
            return "the contract has no optional argument"
        if law in ("samples_independent", "many_samples") and cls.batch is Spec.batch:
            return "the contract has no batch of samples"
        if law == "memory_layout" and implementation.bridge == "dlpack":
            return f"arrays of {implementation.name} have no strides of their own"
        missing = {"extremes_stay_finite": cls.extremes, "edge_sizes": cls.edges, "invalid_input_raises": cls.invalid}
        if law in missing and not missing[law]:
            return "the Spec declares none"
        return cls.unsaid_in_half(law, dtype) if dtype in HALVES else None

    @classmethod
    def unsaid_in_half(cls, law: str, dtype: torch.dtype) -> str | None:
        """Why a law says nothing where a half precision is the working dtype, in words; None when it does.

        What the law of low precision asks is asked there too, and no more: what overflows on the way is a matter of order.
        """
        if "low_precision" in cls.declines:
            return cls.declines["low_precision"]
        if dtype not in cls.low_precisions:
            return f"whether a sum on the way overflows in {str(dtype).removeprefix('torch.')} is a matter of its order"
        if not cls.is_universal(law):
            return "a component's own laws are equations for float32 and float64"
        if law == "extremes_stay_finite":
            return "the extremes are those of float32"
        if law == "second_derivative_agrees" or (law == "gradient_agrees" and not cls.low_gradients):
            return "what overflows or vanishes on the way to this derivative in half precision is left open"
        return None

    def lacks_dtype(self, impl: Trial, dtype: torch.dtype) -> bool:
        """Whether the implementation's arrays have no such dtype, or its adapter declares it unsupported."""
        return not impl.implementation.has_dtype(dtype) or self.refuses_dtype(impl, dtype)

    def refuses_dtype(self, impl: Trial, dtype: torch.dtype) -> bool:
        """Whether the implementation's adapter declares the dtype unsupported for this component."""
        declared = impl.implementation.unsupported.get(self.name)
        return isinstance(declared, dict) and str(dtype).removeprefix("torch.") in declared


def _as_pytest_function(cls: type[Spec], name: str, law: Callable[..., Any]) -> Callable[..., Any]:
    """What pytest collects: it hands the law, unwrapped, to the session that judges."""

    def test(self: Spec, impl: Any, lawbook_session: Any) -> Any:
        if isinstance(lawbook_session, Case):
            # A subclass that says more about the same law calls this one by super().
            return law(self, impl, lawbook_session)
        return lawbook_session.judge(type(self), name, impl)

    test.__name__ = test.__qualname__ = f"test_{name}"
    test.__doc__ = law.__doc__
    test.__module__ = cls.__module__
    test.law = law  # type: ignore[attr-defined]
    return test


def registry() -> dict[str, type[Spec]]:
    """Every Spec that comes with lawbook, by component, chapter by chapter."""
    import lawbook.spec_tests as package

    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name.rpartition(".")[2].startswith("test_"):
            importlib.import_module(module.name)
    return dict(sorted(_REGISTRY.items(), key=lambda item: chapter_order(item[1].chapter)))
