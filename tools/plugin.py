"""The pytest plugin: options, the fixtures ``impl`` and ``lawbook_session``, and the verdict.

With ``--impl`` the laws run in xdist workers, at least one, so that an implementation that crashes, hangs or eats the
memory takes a worker down and not the run; see ``containment``.
"""

from __future__ import annotations

import gc
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lawbook.reference import chapter_of
from lawbook.tools import containment
from lawbook.tools.expected import BadExpected, read_expected
from lawbook.tools.record import Record
from lawbook.tools.refusal import Refusal, require_known

if TYPE_CHECKING:
    from lawbook.tools.session import LawbookSession

PROPERTY = "lawbook"
SHOWN_OUTPUT = 2000
"""Characters kept of what an implementation prints during one law."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a trial."""
    group = parser.getgroup("lawbook", "judge an implementation of deep-learning components")
    add = group.addoption
    add(
        "--impl", metavar="NAME|MODULE|FILE", help="the implementation on trial: a built-in adapter, a module or a file"
    )
    add("--verdict", metavar="FILE", help="write verdict.json here")
    add("--profile", default="default", choices=("quick", "default", "thorough"), help="8, 25 or 200 cases a law")
    add("--law-seed", type=int, default=0, metavar="N", help="cases are a function of this seed (default 0)")
    add("--explore", action="store_true", help="draw a new seed and print it")
    add("--device", metavar="D", help="also compare results on this torch device with the CPU's truth")
    add("--working-dtype", default="float32", choices=("float32", "float64", "bfloat16", "float16"))
    add("--chapter", action="append", default=[], help="only this chapter (may be repeated)")
    add("--component", action="append", default=[], help="only this component (may be repeated)")
    add("--law", action="append", default=[], help="only this law (may be repeated)")
    add("--expected", metavar="FILE", help="a TOML file of expected failures with reasons")
    add(
        "--law-timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="a case that takes longer, without the judge's own work, is a hang (default 30)",
    )
    add(
        "--memory-limit", type=float, default=6.0, metavar="GIB", help="what an implementation may allocate (default 6)"
    )


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Any:
    """A trial runs in workers; stretches of neighbouring laws go to one of them."""
    option = config.option
    if option.impl and not hasattr(config, "workerinput") and hasattr(option, "numprocesses"):
        if not option.collectonly and not option.usepdb:
            if option.numprocesses in (None, 0):
                option.numprocesses = 1
            if option.dist == "no":
                # Not by class (loadscope): there xdist hands finished classes out again when a worker dies, and hangs.
                option.dist = "load"
            if option.maxworkerrestart is None:
                option.maxworkerrestart = "10000"
        if option.explore:
            option.law_seed = time.time_ns() % 1_000_000
    yield


def pytest_configure(config: pytest.Config) -> None:
    """Set up the record in the process that reports, the trial in the processes that judge."""
    if hasattr(config, "workerinput"):
        config.stash[RUN] = containment.Run(Path(config.workerinput["lawbook_run"]))
        return
    _refuse_what_cannot_run(config.option)
    run = containment.Run.create()
    config.stash[RUN] = run
    config.pluginmanager.register(Recorder(config, run), "lawbook-recorder")


def _refuse_what_cannot_run(option: Any) -> None:
    """Say in one sentence what is wrong with the files that are named, before anything is started."""
    try:
        if option.expected:
            read_expected(option.expected)
    except BadExpected as error:
        pytest.exit(str(error), returncode=2)
    if option.verdict:
        verdict = Path(option.verdict)
        if verdict.is_dir() or not verdict.resolve().parent.is_dir():
            pytest.exit(
                f"the verdict cannot be written to {verdict}: it is no file in an existing folder", returncode=2
            )


RUN: pytest.StashKey[containment.Run] = pytest.StashKey()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell every worker where the run keeps its marks."""
    node.workerinput["lawbook_run"] = str(node.config.stash[RUN].folder)
    node.workerinput["lawbook_seed"] = node.config.option.law_seed


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Chapters that were not chosen are not even imported, provided that nothing else is needed of them."""
    if collection_path.parent != SPECS or not collection_path.is_dir():
        return None
    needed = _needed_chapters(config)
    return True if needed and collection_path.name.removeprefix("test_") not in needed else None


def _needed_chapters(config: pytest.Config) -> set[str]:
    """The chapters of what was chosen; none where all of them are needed to tell."""
    if NEEDED not in config.stash:
        chosen = config.option
        # A misspelt chapter or component is refused with the close ones named, and so is a law: that takes all of them.
        homes = {chapter_of(name) for name in chosen.component} if not chosen.chapter else set(chosen.chapter)
        known = all(name and (SPECS / f"test_{name}").is_dir() for name in homes)
        config.stash[NEEDED] = (
            homes if known and not chosen.law and not (chosen.chapter and chosen.component) else set()
        )
    return config.stash[NEEDED]


NEEDED: pytest.StashKey[set[str]] = pytest.StashKey()


SPECS = Path(__file__).parent.parent / "spec_tests"
"""A folder ``test_CHAPTER`` for each chapter."""


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: Any) -> list[Any] | None:
    """Of a Spec that was not chosen no law is collected: that takes longer than to judge a few."""
    chosen = collector.config.option
    if not (chosen.chapter or chosen.component) or not (isinstance(obj, type) and hasattr(obj, "law_names")):
        return None
    spec: Any = obj
    if not hasattr(spec, "name"):
        return None
    collector.config.stash.setdefault(SEEN, set()).add(spec)
    return None if _is_chosen(spec, chosen) else []


SEEN: pytest.StashKey[set[Any]] = pytest.StashKey()
"""Specs that were met, chosen or not."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the chosen chapters, components and laws."""
    chosen = config.option
    if not (chosen.chapter or chosen.component or chosen.law):
        return
    try:
        seen: set[Any] = config.stash.get(SEEN, set())
        _require_known(chosen, seen | {getattr(item, "cls", None) for item in items if is_law(item)})
    except Refusal as refusal:
        config.stash[RUN].stop(str(refusal))
        items.clear()
        return
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        spec: Any = getattr(item, "cls", None)
        if not is_law(item):
            kept.append(item)
            continue
        law = item.name.removeprefix("test_")
        wanted = _is_chosen(spec, chosen) and (not chosen.law or law in chosen.law)
        (kept if wanted else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def _is_chosen(spec: Any, chosen: Any) -> bool:
    return (not chosen.chapter or spec.chapter in chosen.chapter) and (
        not chosen.component or spec.name in chosen.component
    )


def is_law(item: pytest.Item) -> bool:
    """Whether a collected item is a law of a Spec."""
    return hasattr(getattr(item, "cls", None), "law_names")


def _require_known(chosen: Any, specs: set[Any]) -> None:
    """Refuse chapters, components and laws that no Spec has."""
    require_known("chapter", chosen.chapter, {spec.chapter for spec in specs})
    require_known("component", chosen.component, {spec.name for spec in specs})
    require_known("law", chosen.law, {law for spec in specs for law in spec.law_names()} if chosen.law else set())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """A worker notes which of the items are laws: there may be other tests beside them."""
    if hasattr(session.config, "workerinput"):
        # What is loaded by now stays: the collector of garbage need not look through it again and again.
        gc.freeze()
        session.config.stash[RUN].note_laws([item.nodeid for item in session.items if is_law(item)])


@pytest.fixture(scope="session")
def impl(lawbook_session: LawbookSession) -> Any:
    """The implementation on trial; override this fixture to put your own there."""
    return lawbook_session.implementation()


@pytest.fixture(scope="session")
def lawbook_session(request: pytest.FixtureRequest) -> LawbookSession:
    """Judges laws and keeps what became of them."""
    from lawbook.tools.session import LawbookSession

    return LawbookSession(request.session, request.config.stash[RUN])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Hand the law's result to the process that reports; keep a little of what was printed."""
    outcome = yield
    report = outcome.get_result()
    report.sections = [(name, _cut(text)) for name, text in report.sections]
    session = getattr(item, "funcargs", {}).get("lawbook_session")
    result = session.take_result() if session and call.when == "call" else None
    if result is not None:
        report.user_properties.append((PROPERTY, json.dumps(result)))


def _cut(text: str) -> str:
    if len(text) <= SHOWN_OUTPUT:
        return text
    return f"{text[:SHOWN_OUTPUT]}\n… ({len(text)} characters printed, the rest is not kept)"


class Recorder:
    """Collects results in the process that reports, writes journal and verdict, and decides the exit status."""

    def __init__(self, config: pytest.Config, run: containment.Run):
        self._config = config
        self._run = run
        self.record = Record(config.option)
        self._total: int | None = None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without workers the items are counted here."""
        if session.items:
            self._begin([item.nodeid for item in session.items if is_law(item)])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """With workers, every worker says what it found."""
        if self._total is None:
            laws = self._run.laws()
            self._begin([nodeid for nodeid in ids if nodeid in laws])

    def _begin(self, ids: list[str]) -> None:
        self._total = len(ids)
        self.record.begin(self._total)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any, sched: Any) -> None:
        """A worker died: say of what, and spare the component's other laws the same end."""
        found = self._run.why_died(report.node.gateway.id, crashitem)
        if found is not None:
            report.longrepr = found["text"]
            report.user_properties = [*report.user_properties, (PROPERTY, json.dumps(found))]
        elif self._run.cannot_run():
            # The next worker would only die of the same.
            report.longrepr = self._run.cannot_run()
            self._config.pluginmanager.getplugin("dsession").shouldstop = self._run.cannot_run()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One law is done."""
        for name, value in report.user_properties:
            if name == PROPERTY and (report.when == "call" or report.when == "???"):
                self.record.add(json.loads(str(value)))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the verdict; a run that is not whole is never green."""
        if self._config.option.collectonly or not (self.record.laws or self._config.option.impl):
            return
        sentence = self._run.cannot_run()
        status = self.record.finish(sentence, int(exitstatus))
        if self._config.option.impl or status == 2:
            session.exitstatus = status

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One sentence where the run could not be made or is not whole."""
        if self.record.sentence:
            terminalreporter.section("lawbook", sep="=", red=True)
            terminalreporter.line(self.record.sentence)
        elif self.record.laws and self._config.option.impl:
            terminalreporter.section("lawbook", sep="=")
            for line in self.record.summary():
                terminalreporter.line(line)

    def pytest_unconfigure(self) -> None:
        """Remove the run's marks."""
        self._run.remove()


def expected_of(config: pytest.Config) -> dict[str, dict[str, str]]:
    """The expected failures given on the command line."""
    try:
        return read_expected(config.option.expected) if config.option.expected else {}
    except BadExpected as error:
        raise pytest.UsageError(str(error)) from None
