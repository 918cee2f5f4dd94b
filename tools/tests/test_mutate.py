"""Mutants: what is changed, who judges it, what becomes of it, and that a campaign goes on where it stopped."""

import ast
import json
import os
import select
import sys

import pytest
from rich.console import Console

import lawbook
from lawbook.spec_tests import load
from lawbook.tools.mutate import campaign, mutants, report, trial, users
from lawbook.tools.mutate.campaign import Campaign, Judged, Plan, Twins
from lawbook.tools.mutate.mutants import Mutant
from lawbook.tools.mutate.trial import Child, Fate
from lawbook.tools.refusal import Refusal

# JAX, where another test of this process has loaded it, warns of every fork; what is forked here never calls it.
pytestmark = pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called:RuntimeWarning")

HOME = "lawbook.reference.losses.regression"


def mutated(body, module=HOME, function="mse_loss"):
    """A mutant whose whole module is followed by ``body``."""
    source = mutants.path_of(module).read_text(encoding="utf-8")
    return Mutant(module, function, "Test", 1, "before", "after", 0, source + "\n" + body)


def changes(code, tmp_path, monkeypatch):
    file = tmp_path / "specimen.py"
    file.write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "specimen", raising=False)
    return [(m.function, m.operator, m.before, m.after, m.number) for m in mutants.mutants_of("specimen")]


class TestMutants:
    def test_one_change_each_with_its_line(self, tmp_path, monkeypatch):
        found = changes("def f(x):\n    y = x + 1\n    return y if x < 2 else -y\n", tmp_path, monkeypatch)
        assert ("f", "ReplaceBinaryOperator_Add_Sub", "y = x + 1", "y = x - 1", 0) in found
        operators = {operator for _, operator, *_ in found}
        assert {"NumberReplacer", "ReplaceComparisonOperator_Lt_LtE", "ReplaceUnaryOperator_Delete_USub"} <= operators
        assert len(found) == len(set(found)) == 9

    def test_equal_changes_of_a_line_are_numbered(self, tmp_path, monkeypatch):
        found = changes("def f():\n    a = 1\n    a = 1\n    return a\n", tmp_path, monkeypatch)
        assert [number for _, _, _, after, number in found if after.endswith("2")] == [0, 1]

    def test_annotations_messages_and_types_are_left_alone(self, tmp_path, monkeypatch):
        code = (
            "Size = int | None\n\n\ndef f(x: int | None = None) -> int | None:\n"
            "    if x:\n        raise ValueError(f'{1 + 1}', 3)\n"
        )
        assert {operator for _, operator, *_ in changes(code, tmp_path, monkeypatch)} == {"AddNot"}

    def test_names_that_only_messages_say_are_left_alone(self, tmp_path, monkeypatch):
        code = (
            "def f(x, k):\n"
            "    check_axes('a' if k == 1 else 'b', x)\n"
            "    said = 'c' + ('d' if k == 2 else 'e')\n"
            "    heard = 'g' if k == 3 else 'h'\n"
            "    if x:\n        raise ValueError(said, heard)\n"
            "    return heard\n"
        )
        lines = {before for _, _, before, _, _ in changes(code, tmp_path, monkeypatch)}
        assert lines == {"heard = 'g' if k == 3 else 'h'", "if x:"}

    def test_what_only_docstrings_read_is_left_alone(self, tmp_path, monkeypatch):
        code = "SAID = 1\nHEARD = 2\n\n\ndef f():\n    return HEARD\n\n\nf.__doc__ = str(SAID) + str(HEARD)\n"
        assert {function for function, *_ in changes(code, tmp_path, monkeypatch)} == {"HEARD"}

    def test_the_tree_is_mended_after_every_change(self, tmp_path, monkeypatch):
        code = (
            "def f(x, a=-1):\n    for i in [1, 2]:\n        if not x and i is not None:\n            break\n"
            "    return (x < 1) if a == 2 else ~x & 3\n"
        )
        file = tmp_path / "specimen.py"
        found = changes(code, tmp_path, monkeypatch)
        assert len(found) > 15
        for mutant in mutants.mutants_of("specimen"):
            was, now = (ast.dump(ast.parse(text)) for text in (file.read_text(encoding="utf-8"), mutant.source))
            assert was != now
            assert sum(old != new for old, new in zip(code.splitlines(), mutant.source.splitlines(), strict=True)) == 1


class TestUsers:
    def test_a_component_is_judged_by_its_own_laws_and_a_helper_by_those_that_use_it(self):
        found = users.users()
        assert found[HOME, "mse_loss"] == ["mse_loss"]
        shared = [by for (module, _), by in found.items() if module == "lawbook.reference.checks"]
        assert shared
        assert all(0 < len(by) <= users.NEAREST for by in shared)

    def test_a_table_that_others_import_is_judged_by_what_uses_it(self):
        assert "vjp" in users.users()["lawbook.reference.autograd.operations", "OPERATIONS"]

    def test_components_far_away_are_not_asked(self):
        assert users.users()["lawbook.reference.modules.files", "LONGEST_HEADER"] == ["load_parameters"]

    def test_what_stands_beside_a_component_under_its_name_is_judged_by_it(self):
        home = "lawbook.reference.cnn.lenets"
        assert users.users()[home, "lenet_shapes"] == ["lenet"]
        assert users.users()[home, "lenet_bn_init"] == ["lenet_bn"]


def ends(pid):
    """Whether a process has ended or does: a signal that has been sent takes its time to arrive."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ready = select.select([process], [], [], 30)[0]
    os.close(process)
    return bool(ready)


class TestTwin:
    def test_only_the_twin_is_changed_and_the_reference_is_back_afterwards(self):
        before = dict(sys.modules)
        twin = trial.twin(mutated("def mse_loss(*a, **k):\n    return 'changed'\n"), "mse_loss")["mse_loss"]
        assert twin() == "changed"
        reference = load()["mse_loss"].component
        assert reference is sys.modules[HOME].mse_loss
        assert twin is not reference
        assert {n: m for n, m in sys.modules.items() if n in before} == before
        assert lawbook.reference is sys.modules["lawbook.reference"]

    def test_an_untouched_twin_survives(self):
        assert trial.judge(None, ["mse_loss"], 0, lambda fate: None).outcome == "survived"


def finish(child):
    while not child.read():
        pass
    return child.fate()


class TestFates:
    def test_killed_by_the_first_law_that_sees_it(self):
        child = Child(mutated("def mse_loss(y_hat, y, reduction='mean'):\n    return y_hat\n"), ["mse_loss"], 0, 60)
        fate = finish(child)
        assert (fate.outcome, fate.component, fate.law, fate.profile) == (
            "killed",
            "mse_loss",
            "agrees_with_reference",
            "quick",
        )
        assert fate.cases == 1
        assert fate.killed

    def test_a_mistake_beside_a_component_is_a_kill(self):
        body = "def lenet_bn_parameter_count(in_channels=1, classes=10):\n    return 44879\n"
        child = Child(mutated(body, "lawbook.reference.cnn.lenets", "lenet_bn_parameter_count"), ["lenet_bn"], 0, 60)
        assert finish(child).law == "published_shapes_and_parameter_count"

    def test_a_module_that_cannot_be_imported_is_a_kill(self):
        assert finish(Child(mutated("1 / 0\n"), ["mse_loss"], 0, 60)).law == "import"

    def test_a_process_that_dies_is_a_crash(self):
        body = "def mse_loss(*a, **k):\n    import os\n    os.kill(os.getpid(), 11)\n"
        fate = finish(Child(mutated(body), ["mse_loss"], 0, 60))
        assert (fate.outcome, fate.law) == ("crash", "agrees_with_reference")
        assert fate.killed

    def test_what_a_mutant_leaves_behind_is_neither_waited_for_nor_left(self, tmp_path):
        note = tmp_path / "left"
        body = f"""
def mse_loss(*a, **k):
    import os, signal
    if os.fork() == 0:
        open({str(note)!r}, "a").write(f"{{os.getpid()}} ")
        signal.pause()
    raise SystemExit
"""
        assert finish(Child(mutated(body), ["mse_loss"], 0, 60)).killed
        left = note.read_text().split()
        assert left
        assert all(ends(int(pid)) for pid in left)

    def test_an_endless_loop_is_ended(self, monkeypatch):
        monkeypatch.setattr(campaign, "SLOWEST", 0.1)
        monkeypatch.setattr(campaign, "TIMES_THE_TWIN", 0.1)
        child = Child(mutated("def mse_loss(*a, **k):\n    while True:\n        pass\n"), ["mse_loss"], 0, 0.5)
        running, twins = {child.answers: (child, ["mse_loss"])}, Twins(0, {})
        ended = []
        while running:
            ended += campaign._finished(running, twins)
        assert [(fate.outcome, fate.killed) for _, _, fate in ended] == [("timeout", True)]
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)


class TestTwins:
    def test_a_slow_component_has_the_time_it_needs(self, monkeypatch):
        twins = Twins(0, {})
        monkeypatch.setattr(twins, "_fate", lambda component, law=None: Fate("survived", seconds=30.0))
        assert twins.limit(["mse_loss"]) == 30.0 * campaign.TIMES_THE_TWIN
        assert Twins(0, {}).limit([]) == campaign.SLOWEST

    def test_a_kill_by_a_law_that_the_untouched_reference_breaks_means_nothing(self, monkeypatch):
        refused = {}
        twins = Twins(0, refused)
        assert twins.accepted("mse_loss", "agrees_with_reference")
        assert refused == {}
        monkeypatch.setattr(twins, "_fate", lambda component, law=None: Fate("killed", component, law))
        child = Child(mutated("def mse_loss(*a, **k):\n    raise SystemExit\n"), ["mse_loss"], 0, 60)
        twins._accepted.clear()
        running = {child.answers: (child, ["mse_loss"])}
        ended = []
        while running:
            ended += campaign._finished(running, twins)
        assert [fate.outcome for _, _, fate in ended] == ["unjudged"]
        assert "its untouched twin: killed" in refused["mse_loss"]


class TestCampaign:
    PLAN = Plan(components=("huber_loss",), sample=4, seed=1, workers=2)

    def test_is_a_function_of_the_seed_and_goes_on_where_it_stopped(self, tmp_path):
        log = tmp_path / "log.jsonl"
        first = campaign.run(self.PLAN, log, Console(quiet=True))
        assert len(first.judged) == 4
        assert not first.refused
        lines = log.read_text(encoding="utf-8").splitlines()
        assert len(lines) == 4
        # A fate that no judgement would give shows that nothing is judged again.
        kept = json.loads(lines[0])
        kept["fate"]["cases"] = 12345
        log.write_text(json.dumps(kept) + "\n", encoding="utf-8")
        second = campaign.run(self.PLAN, log, Console(quiet=True))
        assert 12345 in [j.fate.cases for j in second.judged]
        assert sorted(j.mutant.key for j in second.judged) == sorted(j.mutant.key for j in first.judged)
        assert len(log.read_text(encoding="utf-8").splitlines()) == 4

    def test_what_is_excused_is_judged_on_the_first_profile_alone(self, monkeypatch):
        harmless = mutated("")
        monkeypatch.setattr(campaign, "choose", lambda plan: [(harmless, ["mse_loss"])])
        cases = []
        for excuses in ({}, {harmless.key: "a reason"}):
            monkeypatch.setattr(campaign, "equivalents", lambda found=excuses: found)
            (judged,) = campaign.run(self.PLAN, None, Console(quiet=True)).judged
            cases.append((judged.outcome, judged.fate.cases))
        (first, all_cases), (second, some) = cases
        assert (first, second) == ("survived", "equivalent")
        assert 0 < some < all_cases / 2

    def test_a_damaged_log_is_refused(self, tmp_path):
        log = tmp_path / "log.jsonl"
        log.write_text("not json\n")
        with pytest.raises(Refusal, match="not the log of a campaign"):
            campaign.run(self.PLAN, log, Console(quiet=True))

    def test_unknown_components_are_refused(self):
        with pytest.raises(Refusal, match="mse_los"):
            campaign.choose(Plan(components=("mse_los",)))

    def test_an_interrupt_keeps_what_is_finished(self, monkeypatch):
        interrupt = iter([False, True])

        def interrupted(running, twins):
            found = original(running, twins)
            if next(interrupt, False):
                raise KeyboardInterrupt
            return found

        original = campaign._finished
        monkeypatch.setattr(campaign, "_finished", interrupted)
        found = campaign.run(Plan(components=("huber_loss",), sample=6, workers=1), None, Console(quiet=True))
        assert found.interrupted
        assert len(found.judged) < 6


class TestReport:
    MUTANTS = [mutated("", function=f"f{i}") for i in range(4)]
    FOUND = Campaign(
        [
            Judged(MUTANTS[0], ["a"], Fate("killed", "a", "agrees_with_reference", 3, "quick")),
            Judged(MUTANTS[1], ["a"], Fate("timeout", "a", "global_state", 5, "default")),
            Judged(MUTANTS[2], ["a"], Fate("survived", cases=99)),
            Judged(MUTANTS[3], ["a"], Fate("survived", cases=99), "the sign of zero"),
        ],
        {"b": "its untouched twin: killed edge_sizes"},
    )

    def test_equivalents_do_not_count_and_kills_of_the_default_profile_are_named(self):
        found = report.figures(self.FOUND.judged)
        assert (found["killed"], found["survived"], found["equivalent"]) == (2, 1, 1)
        assert found["score"] == round(2 / 3, 4)
        assert found["median_cases"] == 4
        assert found["default_profile_only"] == 1

    def test_data_and_table_name_chapters_survivors_and_what_was_not_judged(self, tmp_path):
        report.write(self.FOUND, tmp_path / "found.json")
        data = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
        assert data["chapters"]["losses"] == data["chapters"]["all"] == report.figures(self.FOUND.judged)
        assert [m["outcome"] for m in data["mutants"]] == ["killed", "killed", "survived", "equivalent"]
        assert "diff" in data["mutants"][2]
        assert data["mutants"][3]["reason"] == "the sign of zero"
        console = Console(record=True, width=120)
        report.show(self.FOUND, 2.0, console, diffs=False)
        assert "66.7%" in (text := console.export_text())
        assert "untouched twin" in text
        assert "2.0 mutants" in text


def test_equivalents_in_the_file_name_mutants_that_exist():
    by_module = {}
    for key in campaign.equivalents():
        by_module.setdefault(key[0], set()).add(key)
    for module, keys in by_module.items():
        assert keys <= {mutant.key for mutant in mutants.mutants_of(module)}
