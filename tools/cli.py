"""The ``lawbook`` command. Heavy imports wait inside the commands: asking for help must not load torch."""

import functools
import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lawbook.tools.refusal import Refusal

app = typer.Typer(
    help="A specification of deep learning that you can run: put an implementation on trial.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Profile(StrEnum):
    """How many cases a law is tried on."""

    quick = "quick"
    default = "default"
    thorough = "thorough"


class Dtype(StrEnum):
    """The dtype the laws work in."""

    float32 = "float32"
    float64 = "float64"
    bfloat16 = "bfloat16"
    float16 = "float16"


Keep = Annotated[bool, typer.Option("--figures", help="Keep the figures of these chapters for the page and the docs.")]
WorkingDtype = Annotated[
    Dtype, typer.Option(help="The working dtype; in half precision the universal laws alone are judged.")
]
Chapters = Annotated[list[str] | None, typer.Option("--chapter", help="Only this chapter; may be repeated.")]


def refusing(command: Callable[..., Any]) -> Callable[..., Any]:
    """A refusal is one sentence on the error stream and the exit status 2."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except Refusal as refusal:
            typer.echo(str(refusal), err=True)
            raise typer.Exit(2) from refusal

    return wrapped


@app.command()
@refusing
def check(
    implementation: Annotated[str, typer.Argument(metavar="IMPL", help="A built-in adapter, a module or a file.")],
    chapter: Chapters = None,
    component: Annotated[list[str] | None, typer.Option(help="Only this component; may be repeated.")] = None,
    law: Annotated[list[str] | None, typer.Option(help="Only this law; may be repeated.")] = None,
    device: Annotated[str | None, typer.Option(help="Where the accelerator law runs, such as cuda.")] = None,
    dtype: WorkingDtype = Dtype.float32,
    profile: Annotated[Profile, typer.Option(help="How many cases a law is tried on.")] = Profile.default,
    seed: Annotated[int, typer.Option(help="Cases are drawn anew for another seed.")] = 0,
    verdict: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to keep the verdict.")] = None,
    expected: Annotated[Path | None, typer.Option(metavar="FILE", help="Failures known and explained (TOML).")] = None,
    workers: Annotated[str, typer.Option("-n", help="Worker processes: a number or auto.")] = "auto",
    law_timeout: Annotated[float | None, typer.Option(help="Seconds a case may take.")] = None,
    memory_limit: Annotated[float | None, typer.Option(help="GiB a worker may take.")] = None,
) -> None:
    """Judge an implementation: exit 0 when every law holds, 1 when some do not, 2 when the run is not whole."""
    from lawbook.tools.check import Request, run

    request = Request(
        implementation,
        chapters=chapter or [],
        components=component or [],
        laws=law or [],
        device=device,
        dtype=dtype.value,
        profile=profile.value,
        seed=seed,
        verdict=verdict,
        expected=expected,
        workers=workers,
        law_timeout=law_timeout,
        memory_limit=memory_limit,
    )
    raise typer.Exit(run(request, Console()))


@app.command("list")
@refusing
def list_components(
    chapter: Chapters = None,
    as_json: Annotated[bool, typer.Option("--json", help="As data.")] = False,
) -> None:
    """List the components with their contracts."""
    from lawbook.tools import catalogue

    specs = catalogue.registry()
    if as_json:
        typer.echo(json.dumps(catalogue.entries(specs, chapter or ()), indent=2, ensure_ascii=False))
    else:
        Console().print(catalogue.table(specs, chapter or ()))


@app.command()
@refusing
def show(component: Annotated[str, typer.Argument(metavar="COMPONENT")]) -> None:
    """Show one component: contract, laws, what is declined and why, known mistakes, sources."""
    from lawbook.tools import catalogue

    Console().print(catalogue.page(catalogue.registry(), component))


@app.command()
@refusing
def report(
    verdicts: Annotated[list[Path], typer.Argument(metavar="VERDICT...")],
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="One page comparing the verdicts.")] = None,
    markdown: Annotated[str | None, typer.Option(metavar="FILE", help="Markdown tables; - prints them.")] = None,
    badge: Annotated[Path | None, typer.Option(metavar="FILE", help="An SVG badge of one verdict.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="JUnit XML.")] = None,
    coverage: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="What `lawbook coverage --json` wrote, for the page.")
    ] = None,
) -> None:
    """Make reports from verdicts; without an option, tables in the terminal."""
    from lawbook.tools.report.files import write_reports

    write_reports(verdicts, Console(), html=html, markdown=markdown, badge=badge, junit=junit, coverage=coverage or [])


@app.command()
@refusing
def coverage(
    implementation: Annotated[str, typer.Option("--impl", metavar="IMPL", help="What to judge.")] = "torch",
    chapter: Chapters = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures.")] = None,
    workers: Annotated[str, typer.Option("-n", help="Worker processes: a number or auto.")] = "auto",
) -> None:
    """Per chapter: components provided, laws judged, lines and branches run of reference and implementation."""
    from lawbook.tools.check import Request
    from lawbook.tools.coverage import run

    request = Request(implementation, chapters=chapter or [], profile="quick", workers=workers)
    raise typer.Exit(run(request, Console(), json_file))


@app.command("new-adapter")
@refusing
def new_adapter(file: Annotated[Path, typer.Argument(metavar="FILE")], chapter: Chapters = None) -> None:
    """Write a file to begin with: every contract, commented out."""
    from lawbook.tools import catalogue, skeleton

    skeleton.write(catalogue.registry(), file, chapter or ())
    typer.echo(f"{file} is written. Begin with one function, then run: lawbook check {file}")


@app.command()
@refusing
def reproduce(
    verdict: Annotated[Path, typer.Argument(metavar="VERDICT")],
    component: Annotated[str, typer.Argument(metavar="COMPONENT")],
    law: Annotated[str, typer.Argument(metavar="LAW")],
) -> None:
    """Print a short script that fails the same way, without lawbook's engine."""
    from lawbook.tools.report.verdict import read
    from lawbook.tools.reproduce import script

    typer.echo(script(read(verdict), component, law))


@app.command()
@refusing
def soak(
    implementation: Annotated[str, typer.Argument(metavar="IMPL", help="An implementation known to be right.")],
    chapter: Chapters = None,
    component: Annotated[list[str] | None, typer.Option(help="Only this component; may be repeated.")] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Every component on so many seeds; a bound beside it takes a sample.")
    ] = None,
    cases: Annotated[int | None, typer.Option(min=1, help="Stop after so many law-cases.")] = None,
    minutes: Annotated[float | None, typer.Option(min=0, help="Stop after so long.")] = None,
    profile: Annotated[Profile, typer.Option(help="How many cases a law is tried on.")] = Profile.default,
    dtype: WorkingDtype = Dtype.float32,
    threads: Annotated[int, typer.Option(min=1, help="Torch's threads a worker.")] = 1,
    flush_denormals: Annotated[bool, typer.Option(help="Flush numbers below the smallest normal one to 0.")] = False,
    offset: Annotated[int, typer.Option(min=0, help="Elements before every tensor in its memory.")] = 0,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keeps what is finished; run again to go on.")
    ] = None,
    keep: Keep = False,
    workers: Annotated[int, typer.Option("-n", min=1, help="Worker processes.")] = 2,
) -> None:
    """Look for false alarms: judge a correct implementation on many seeds, and report every seed that fails."""
    from lawbook.tools.soak import Plan, run

    plan = Plan(
        implementation,
        chapters=tuple(chapter or ()),
        components=tuple(component or ()),
        seeds=seeds,
        cases=cases,
        minutes=minutes,
        profile=profile.value,
        dtype=dtype.value,
        threads=threads,
        flush=flush_denormals,
        offset=offset,
    )
    raise typer.Exit(run(plan, log, workers, Console(), keep))


@app.command()
@refusing
def mutate(
    chapter: Chapters = None,
    component: Annotated[list[str] | None, typer.Option(help="Only this component; may be repeated.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many mutants, drawn from all.")] = None,
    seed: Annotated[int, typer.Option(help="Draws another sample and other cases.")] = 0,
    workers: Annotated[int, typer.Option("-n", min=1, help="Mutants judged at a time.")] = 2,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keeps what is finished; run again to go on.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write every mutant's fate.")] = None,
    diffs: Annotated[bool, typer.Option("--diffs/--no-diffs", help="Print the survivors' diffs.")] = True,
    keep: Keep = False,
) -> None:
    """Change the reference in one place at a time: how many of these mutants do the laws notice?"""
    from lawbook.tools.mutate import command

    console = Console()
    raise typer.Exit(
        command(chapter or (), component or (), sample, seed, workers, log, json_file, diffs, keep, console)
    )


@app.command()
@refusing
def faulty(
    chapter: Chapters = None,
    component: Annotated[list[str] | None, typer.Option(help="Only this component; may be repeated.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table here.")] = None,
    compound: Annotated[
        bool, typer.Option("--compound", help="Those that are wrong only where two or three conditions meet.")
    ] = False,
    keep: Keep = False,
) -> None:
    """Judge the faulty implementations that repeat real bugs and errata, beside what a naive test makes of them."""
    from lawbook.tools.faulty import run

    raise typer.Exit(run(chapter or (), component or (), markdown, Console(), compound, keep))


def main() -> None:
    """Entry point of the ``lawbook`` command."""
    app(completed(sys.argv[1:]))


def completed(arguments: list[str]) -> list[str]:
    """The arguments with ``--markdown``, when no file follows it, meaning the terminal."""
    following = [*arguments[1:], "--"]
    return [
        part
        for argument, after in zip(arguments, following, strict=False)
        for part in ((argument, "-") if argument == "--markdown" and after.startswith("--") else (argument,))
    ]
