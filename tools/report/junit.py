"""The verdict as JUnit XML: a suite a chapter, a test case a law."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from lawbook.tools.report.terminal import one_line, text, words
from lawbook.tools.report.verdict import FAILING, Verdict

# What XML 1.0 cannot hold, escaped or not.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(verdicts: Sequence[Verdict]) -> str:
    """One document for any number of verdicts."""
    root = ET.Element("testsuites", name="lawbook")
    for verdict in verdicts:
        _add(root, verdict)
    _count(root)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add(root: ET.Element, verdict: Verdict) -> None:
    name = verdict["implementation"]["name"]
    suites: dict[str, ET.Element] = {}
    for component, entry in verdict["components"].items():
        chapter = entry["chapter"]
        if chapter not in suites:
            suites[chapter] = ET.SubElement(root, "testsuite", name=_clean(f"{name}.{chapter}"))
        if not entry["laws"]:
            case = ET.SubElement(suites[chapter], "testcase", classname=component, name="provided", time="0")
            ET.SubElement(case, "skipped", message=words(entry["outcome"]))
        for law, result in entry["laws"].items():
            case = ET.SubElement(
                suites[chapter], "testcase", classname=component, name=law, time=f"{result['seconds']:.3f}"
            )
            _outcome(case, component, law, result)
    if not verdict["complete"]:
        suite = ET.SubElement(root, "testsuite", name=_clean(f"{name}.run"))
        case = ET.SubElement(suite, "testcase", classname="run", name="complete", time=f"{verdict['seconds']:.3f}")
        ET.SubElement(case, "error", message="the run was cut short")


def _outcome(case: ET.Element, component: str, law: str, result: dict) -> None:
    outcome = result["outcome"]
    if outcome == "pass":
        return
    kind = "failure" if outcome == "fail" else "error" if outcome in FAILING else "skipped"
    child = ET.SubElement(case, kind, message=_clean(one_line(law, result)))
    if outcome in FAILING:
        child.text = _clean(text(component, law, result))


def _count(root: ET.Element) -> None:
    for element in (*root, root):
        cases = list(element.iter("testcase"))
        element.set("tests", str(len(cases)))
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
        element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")


def _clean(text: str) -> str:
    return FORBIDDEN.sub("�", text)
