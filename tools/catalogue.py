"""What the suite holds: components, contracts and laws, for ``lawbook list`` and ``lawbook show``."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from lawbook.reference import chapter_order
from lawbook.tools.refusal import require_known

Registry = dict[str, Any]


def registry() -> Registry:
    """Component → Spec of everything that comes with lawbook. Imports torch: call it late."""
    from lawbook.spec_tests import load

    return load()


def check_selection(specs: Registry, chapters: Sequence[str] = (), components: Sequence[str] = ()) -> None:
    """Refuse chapters and components that do not exist."""
    require_known("chapter", chapters, {spec.chapter for spec in specs.values()})
    require_known("component", components, specs)


def chosen(specs: Registry, chapters: Sequence[str] = ()) -> list[tuple[str, Any]]:
    """Components of the chapters (of all, when none is named), chapter by chapter."""
    check_selection(specs, chapters)
    found = [(name, spec) for name, spec in specs.items() if not chapters or spec.chapter in chapters]
    return sorted(found, key=lambda item: (chapter_order(item[1].chapter), item[0]))


def signature(spec: Any) -> str:
    """The contract's call, such as ``softmax(x, dim)``."""
    contract = inspect.signature(spec.component)
    # The docstring tells shapes and kinds; annotations would only repeat them at length.
    plain = [parameter.replace(annotation=parameter.empty) for parameter in contract.parameters.values()]
    return f"{spec.component.__name__}{contract.replace(parameters=plain, return_annotation=contract.empty)}"


def entries(specs: Registry, chapters: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One entry a component, as ``lawbook list --json`` prints them."""
    return [
        {"component": name, "chapter": spec.chapter, "laws": list(spec.laws()), "signature": signature(spec)}
        for name, spec in chosen(specs, chapters)
    ]


def table(specs: Registry, chapters: Sequence[str] = ()) -> Table:
    """One row a component."""
    found = entries(specs, chapters)
    grid = Table(title=f"{len(found)} components, {sum(len(entry['laws']) for entry in found)} laws")
    grid.add_column("chapter")
    grid.add_column("component", no_wrap=True)
    grid.add_column("laws", justify="right")
    grid.add_column("signature", overflow="fold")
    previous = None
    for entry in found:
        if previous not in (None, entry["chapter"]):
            grid.add_section()
        chapter = entry["chapter"] if entry["chapter"] != previous else ""
        grid.add_row(chapter, entry["component"], str(len(entry["laws"])), Text(entry["signature"]))
        previous = entry["chapter"]
    return grid


def page(specs: Registry, component: str) -> RenderableType:
    """Everything there is to say about one component."""
    check_selection(specs, components=[component])
    spec = specs[component]
    contract = f"def {signature(spec)}:\n" + _indented(f'"""{inspect.getdoc(spec.component) or ""}\n"""')
    parts: list[RenderableType] = [
        Text.assemble((component, "bold"), f" · chapter {spec.chapter}"),
        Syntax(contract, "python", word_wrap=True, background_color="default"),
    ]
    applying = {law: text for law, text in spec.laws().items() if law not in spec.declines}
    universal = _universal()
    sections = {
        "its own laws": [f"{law}: {text}" for law, text in applying.items() if law not in universal],
        "universal laws": [f"{law}: {text}" for law, text in applying.items() if law in universal],
        "judged arguments": list(_judged(spec, applying)),
        "declined": [f"{law}: {reason}" for law, reason in spec.declines.items()],
        "look first at": list(spec.prerequisites),
        "known mistakes": [_mistake(entry) for entry in mistakes(component)],
        "source": sources(spec),
    }
    return Group(*parts, *(_section(title, lines) for title, lines in sections.items() if lines))


def _judged(spec: Any, laws: Mapping[str, str]) -> Iterator[str]:
    """Which arguments the universal laws differentiate by, and put a nan into, where that is not every one."""
    if spec.differentiable:
        yield f"gradients to {', '.join(spec.differentiable)}" + (", second derivatives too" if spec.twice else "")
    if "nan_not_hidden" in laws and spec.nan_arguments is not None:
        yield f"nan in {', '.join(spec.nan_arguments)} alone"


def mistakes(component: str) -> list[Any]:
    """The faulty implementations of the component."""
    from lawbook.fixtures.faulty import registry as faulty

    return list(faulty.load().get(component, []))


def sources(spec: Any) -> list[str]:
    """The contract's notes and papers."""
    documentation = inspect.getdoc(spec.component) or ""
    found = re.search(r"^Source:\s*(.*?)(?:\n\s*\n|\Z)", documentation, re.DOTALL | re.MULTILINE)
    return [" ".join(part.split()).rstrip(".") for part in found[1].split(";")] if found else []


def _mistake(entry: Any) -> str:
    seen = f" (seen: {entry.seen})" if entry.seen else ""
    return f"{entry.hint}{seen}; rejected by {', '.join(entry.rejected_by)}"


def _section(title: str, lines: list[str]) -> RenderableType:
    return Group(Text(f"\n{title}", style="bold"), *(Padding(Text(f"· {line}"), (0, 0, 0, 2)) for line in lines))


def _universal() -> set[str]:
    from lawbook.spec_tests.universal import UniversalLaws

    return {name.removeprefix("test_") for name in vars(UniversalLaws)}


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line.strip() else "" for line in text.splitlines())
