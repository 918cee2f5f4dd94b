"""The reports say what the verdict says, no more and no less; a file that is no verdict is one sentence."""

import io
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from lawbook.tools.report import badge, html, junit, markdown, summary, terminal, verdict
from lawbook.tools.tests import samples


def printed(function, verdict, *more):
    """What the function prints of a verdict."""
    console = Console(width=160, file=io.StringIO())
    function(verdict, console, *more)
    return console.file.getvalue()


class TestReading:
    def test_a_verdict_is_read_back(self, tmp_path):
        file = tmp_path / "verdict.json"
        file.write_text(json.dumps(samples.verdict()))
        assert verdict.read(file) == samples.verdict()

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            (b"", "not JSON"),
            (b'{"schema": 1, "lawb', "not JSON"),
            (b"\xff\xfe", "not text"),
            (b"[" * 100_000, "not JSON"),
            (b"[]", "no schema number"),
            (b'{"tests": 3}', "no schema number"),
            (b'{"schema": 2}', "its schema is 2"),
            (b'{"schema": 1}', "required property"),
        ],
    )
    def test_damaged_and_foreign_files_are_refused_in_one_sentence(self, tmp_path, content, complaint):
        file = tmp_path / "verdict.json"
        file.write_bytes(content)
        with pytest.raises(verdict.VerdictError) as refused:
            verdict.read(file)
        assert complaint in str(refused.value)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 500

    def test_a_missing_file_and_a_folder_are_refused(self, tmp_path):
        for path in (tmp_path / "none.json", tmp_path):
            with pytest.raises(verdict.VerdictError, match="cannot be read"):
                verdict.read(path)

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda v: v.update(extra=1),
            lambda v: v.update(seed="0"),
            lambda v: v["components"]["softmax"].update(outcome="fine"),
            lambda v: v["components"]["softmax"]["laws"]["agrees_with_reference"].update(cases=-1),
            lambda v: v["components"]["softmax"]["laws"]["agrees_with_reference"].update(worst="large"),
            lambda v: v["components"]["softmax"]["laws"]["agrees_with_reference"].pop("reason"),
            lambda v: v["components"]["bleu"].update(laws={"agrees_with_reference": samples.law()}),
            lambda v: v["components"]["cross_entropy"]["laws"]["agrees_with_reference"]["failure"].update(kind="odd"),
        ],
    )
    def test_the_schema_is_strict(self, spoil):
        data = samples.verdict()
        assert verdict.validate(data) is None
        spoil(data)
        assert verdict.validate(data)

    def test_figures_for_people(self):
        shown = [verdict.figure(x) for x in (None, "nan", "inf", 0, 0.5, 12.345, 5821.0, 1e-6)]
        assert shown == ["–", "nan", "inf", "0.00", "0.50", "12.35", "5.8e+03", "1.0e-06"]


class TestSummary:
    def test_rows_count_each_component_once(self):
        rows = {row.chapter: row for row in summary.rows(samples.verdict())}
        losses = rows["losses"]
        assert (losses.components, losses.provided, losses.passed, losses.failed) == (3, 3, 1, 2)
        assert (losses.laws, losses.cases) == (6, 25 + 0 + 3 + 25 + 1 + 25)
        assert rows["sequences"].share == 0.5
        assert rows["convolution"].expected == 1

    def test_nan_is_never_hidden_by_a_number(self):
        entry = samples.component(laws={"a": samples.law(worst="nan"), "b": samples.law(worst=5.0)})
        row = summary.total(samples.verdict({"softmax": entry}))
        assert verdict.figure(row.worst) == "nan"

    def test_the_total_is_the_sum(self):
        v = samples.verdict()
        total, rows = summary.total(v), summary.rows(v)
        for name in ("components", "provided", "passed", "failed", "expected", "laws", "cases"):
            assert getattr(total, name) == sum(getattr(row, name) for row in rows)
        assert total.seconds == v["seconds"]

    def test_root_causes_come_first(self):
        assert [(name, causes) for name, _, causes in summary.failing(samples.verdict())] == [
            ("log_softmax", []),
            ("cross_entropy", ["log_softmax"]),
        ]

    def test_prerequisites_in_a_circle_are_all_listed(self):
        fails = {"agrees_with_reference": samples.law("fail", failure=samples.failure())}
        circle = {
            "a": samples.component(outcome="fail", laws=fails, prerequisites=["b"]),
            "b": samples.component(outcome="fail", laws=fails, prerequisites=["a"]),
        }
        assert {name for name, _, _ in summary.failing(samples.verdict(circle))} == {"a", "b"}

    @pytest.mark.parametrize(
        ("components", "complete", "code"),
        [
            ({"softmax": samples.component()}, True, 0),
            ({"softmax": samples.component()}, False, 2),
            (samples.every_outcome(), True, 1),
            (samples.every_outcome(), False, 2),
            ({}, True, 2),
            ({"bleu": samples.component(outcome="not_provided", laws={})}, True, 2),
        ],
    )
    def test_exit_status(self, components, complete, code):
        assert summary.exit_code(samples.verdict(components, complete=complete)) == code

    def test_expected_failures_alone_do_not_fail(self):
        conv2d = {"conv2d": samples.every_outcome()["conv2d"]}
        assert summary.exit_code(samples.verdict(conv2d)) == 0

    def test_fewer_than_last_time(self):
        now, before = samples.verdict(), samples.verdict()
        assert summary.fewer(now, before) == []
        del now["components"]["softmax"]
        said = summary.fewer(now, before)
        assert "fewer components than last time: 5, were 6" in said
        assert any(line.startswith("fewer laws judged") for line in said)
        assert any(line.startswith("fewer cases") for line in said)
        assert summary.fewer(before, now) == []


class TestTerminal:
    def test_the_table_has_a_row_a_chapter_and_a_total(self):
        text = printed(terminal.print_report, samples.verdict())
        assert re.search(r"losses .*3/3 100% .* 1 .* 2 .* 6 .* 79 .* nan", text)
        assert re.search(r"total .*5/6 83%", text)

    def test_what_was_left_out_is_listed_with_reasons(self):
        text = printed(terminal.print_report, samples.verdict())
        assert "GPU laws: not run (no device given)" in text
        assert "not run: 2 laws" in text
        assert "not applicable: 1 law" in text
        assert "conv2d · invalid input raises: the library broadcasts | instead" in text

    def test_no_line_on_the_gpu_when_its_laws_ran(self):
        v = samples.verdict({"softmax": samples.component(laws={"accelerator_agrees": samples.law()})}, device="cuda")
        assert "GPU" not in printed(terminal.print_report, v)

    def test_a_cut_run_says_so(self):
        text = printed(terminal.print_report, samples.verdict({"softmax": samples.component()}, complete=False))
        assert "incomplete" in text
        assert "pass:" not in text

    def test_a_smaller_run_says_so(self):
        smaller = samples.verdict({"softmax": samples.component()})
        assert "fewer components than last time: 1, were 6" in printed(
            terminal.print_report, smaller, samples.verdict()
        )

    def test_first_law_in_full_and_others_in_a_line(self):
        text = printed(terminal.print_failures, samples.verdict())
        assert text.index("log_softmax") < text.index("cross_entropy")
        assert "got <b>nan</b>" in text
        assert "also: gradient agrees · timeout · longer than 60 s" in text
        assert "look first at log_softmax" in text

    def test_markup_in_messages_is_shown_as_it_stands(self):
        fails = samples.law("fail", failure=samples.failure(message="x = [red]1[/red] [/]"))
        v = samples.verdict({"softmax": samples.component(outcome="fail", laws={"agrees_with_reference": fails})})
        assert "x = [red]1[/red] [/]" in printed(terminal.print_failures, v)


class TestMarkdown:
    def test_every_row_has_the_same_cells(self):
        rows = [line for line in markdown.render([samples.verdict()]).splitlines() if line.startswith("|")]
        assert len(rows) == 2 + 3 + 1
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {len(terminal.HEADINGS) + 1}

    def test_names_cannot_break_the_table(self):
        v = samples.verdict(implementation={"name": "a|b*<i>", "version": None, "source": "x"})
        assert "a\\|b\\*\\<i\\>" in markdown.render([v])


class TestBadge:
    def test_it_says_how_many_components_obey(self):
        root = ET.fromstring(badge.render(samples.verdict()))
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert texts == ["lawbook", "1/5 components"]

    def test_a_cut_run_earns_no_figure(self):
        assert "1/5" not in badge.render(samples.verdict(complete=False)).replace("1 of 5", "")

    def test_names_are_escaped(self):
        ET.fromstring(badge.render(samples.verdict(implementation={"name": "<&\"'", "version": None, "source": "x"})))

    @pytest.mark.parametrize("colour", badge.COLOURS.values())
    def test_white_text_has_enough_contrast(self, colour):
        assert contrast("#ffffff", colour) >= 4.5


class TestJunit:
    def test_counts_are_those_of_the_verdict(self):
        root = ET.fromstring(junit.render([samples.verdict()]))
        assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
            "tests": "12",
            "failures": "1",
            "errors": "3",
            "skipped": "5",
        }
        assert {suite.get("name") for suite in root} == {"mine.losses", "mine.convolution", "mine.sequences"}

    def test_control_characters_leave_the_document_whole(self):
        fails = samples.law("fail", failure=samples.failure(message="got \x00\x1b[31m ]]> \ud800"))
        v = samples.verdict({"softmax": samples.component(outcome="fail", laws={"agrees_with_reference": fails})})
        assert "]]>" in ET.fromstring(junit.render([v]).encode()).find(".//failure").text

    def test_a_cut_run_is_an_error(self):
        root = ET.fromstring(junit.render([samples.verdict({"softmax": samples.component()}, complete=False)]))
        assert root.get("errors") == "1"


class Page(HTMLParser):
    """The page's elements, and whether each is closed by its own tag."""

    VOID = ("meta", "input", "br", "link", "img", "hr")

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts, self.faults = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append((tag, self.getpos()))

    def handle_data(self, data):
        self.texts.append(data)

    def text(self):
        return " ".join("".join(self.texts).split())

    def having(self, tag, **attributes):
        wanted = {key.rstrip("_"): value for key, value in attributes.items()}
        return [a for t, a in self.elements if t == tag and wanted.items() <= a.items()]


def two_verdicts():
    other = samples.verdict(
        {"softmax": samples.component()}, implementation={"name": "torch", "version": "2", "source": "torch"}
    )
    return [samples.verdict(), other]


class TestPage:
    def test_elements_nest(self):
        page = Page(html.render(two_verdicts()))
        assert page.faults == []
        assert page.open == []

    def test_nothing_is_loaded_from_outside(self):
        text = html.render(two_verdicts())
        page = Page(text)
        assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.elements}
        assert not re.search(r"https?://|url\(|@import", text)

    def test_chapters_components_and_laws_are_all_there(self):
        page = Page(html.render(two_verdicts()))
        for chapter in ("losses", "convolution", "sequences"):
            assert page.having("details", id=f"chapter-{chapter}")
        for component in samples.every_outcome():
            assert page.having("details", id=f"component-{component}")
        assert "agrees with reference" in page.text()

    def test_outcomes_are_words_and_not_only_colours(self):
        text = Page(html.render([samples.verdict()])).text()
        for word in ("✓ pass", "✗ fail", "✗ crash", "✗ timeout", "✗ error", "○ not run", "– not applicable"):
            assert word in text
        assert "≈ expected failure" in text
        assert "○ not provided" in text

    def test_every_cell_names_its_implementation(self):
        page = Page(html.render(two_verdicts()))
        cells = [a for tag, a in page.elements if tag == "span" and a.get("class", "").startswith("cell ")]
        assert len(cells) == len([tag for tag, _ in page.elements if tag == "i"])

    def test_counterexamples_and_reasons_are_shown_escaped(self):
        text = html.render([samples.verdict()])
        assert "got &lt;b&gt;nan&lt;/b&gt;" in text
        assert "<b>nan</b>" not in text
        assert "the library broadcasts | instead" in text
        assert "the worker was killed by signal 11" in text

    def test_a_component_that_one_verdict_lacks_is_said_to_be_absent(self):
        assert "not in this run" in Page(html.render(two_verdicts())).text()

    def test_a_cut_run_says_so(self):
        assert "The run was cut short" in html.render([samples.verdict(complete=False)])

    def test_coverage_is_shown_per_chapter(self):
        row = {
            "components": 3,
            "provided": 2,
            "laws": 12,
            "reference": {"lines": [90, 100], "branches": [0, 0]},
            "implementation": None,
        }
        data = {"implementation": {"name": "mine", "version": None}, "chapters": {"losses": row}}
        assert "90% (90/100)" in Page(html.render([samples.verdict()], [data])).text()

    def test_labels_tell_verdicts_apart(self):
        v = samples.verdict
        assert html.labels([v(), v(dtype="float64"), v(dtype="float64")]) == [
            "mine float32",
            "mine float64 (1)",
            "mine float64 (2)",
        ]
        other = {"name": "torch", "version": "2", "source": "torch"}
        assert html.labels([v(), v(implementation=other)]) == ["mine", "torch"]

    def test_notes_stand_with_the_right_implementation(self):
        """Two equal entries share one note; a different one has its own."""
        same = samples.law("not_applicable", 0, None, "no axis")
        cells = [same, None, dict(same), samples.law("not_run", 0, None, "no device")]
        assert [places for places, _ in html._notes(cells)] == [[0, 2], [3]]

    @pytest.mark.parametrize("scheme", [0, 1])
    def test_colours_have_enough_contrast(self, scheme):
        blocks = re.findall(r":root \{(.*?)\}", html.render([samples.verdict()]), re.DOTALL)
        colours = dict(re.findall(r"--(\S+): (#\w+)", blocks[scheme]))
        for ink, ground in [
            *(("ink", ground) for ground in ("page", "card", "shade")),
            *(("soft", ground) for ground in ("page", "card", "shade", "bad-shade", "mild-shade")),
            ("good", "card"),
            ("good", "shade"),
            ("bad", "card"),
            ("bad", "bad-shade"),
            ("mild", "mild-shade"),
        ]:
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def contrast(a, b):
    """The contrast of two colours as WCAG 2 defines it."""

    def luminance(colour):
        colour = colour.lstrip("#")
        colour = "".join(2 * x for x in colour) if len(colour) == 3 else colour
        parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    lighter, darker = sorted((luminance(a), luminance(b)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
