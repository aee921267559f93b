"""junit.xml: one test case per rule, for CI systems that show test results.

The file is valid for both common schemas, that of Ant's JUnit task and that of Jenkins' xunit plugin. Test cases
therefore have no output of their own. The output of the suite has one line for each test case.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from loadgate.report.text import OUTCOME_WORDS, rule_reason
from loadgate.run.document import RunDocument

_INVALID = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(document: RunDocument) -> str:
    """Return the verdict as a JUnit test suite. An inconclusive rule is reported as an error.

    If an invalidating condition, such as an interrupt, decides the verdict, it is an additional test case.
    """
    verdict, run = document.verdict, document.run
    suite = ET.Element("testsuite", name=_valid(f"loadgate.{run.profile.name}"))
    _add_properties(suite, document)
    lines = []
    for rule in verdict.rules:
        _add_case(suite, rule.rule, rule.outcome, rule_reason(rule))
        lines.append(f"{OUTCOME_WORDS[rule.outcome]}: {rule.rule}: {rule_reason(rule)}")
    if not any(rule.outcome == verdict.outcome for rule in verdict.rules):
        _add_case(suite, "run", verdict.outcome, verdict.reason)
    cases = suite.findall("testcase")
    for name, value in {
        "tests": str(len(cases)),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "time": f"{run.duration_s:.3f}",
        "timestamp": run.started_at.partition(".")[0],
        "hostname": _valid(document.made_on.machine.name) or "localhost",
        "package": "loadgate",
        "id": "0",
    }.items():
        suite.set(name, value)
    lines += [*verdict.notes, f"{OUTCOME_WORDS[verdict.outcome]}: {verdict.reason}"]
    ET.SubElement(suite, "system-out").text = _valid("\n".join(lines))
    ET.SubElement(suite, "system-err")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_properties(suite: ET.Element, document: RunDocument) -> None:
    run, git = document.run, document.made_on.git
    properties = ET.SubElement(suite, "properties")
    known = {"host": run.host, "profile": run.profile.name, "commit": git.commit if git else ""}
    for name, value in known.items():
        if value:
            ET.SubElement(properties, "property", name=name, value=_valid(value))


def _add_case(suite: ET.Element, name: str, outcome: str, reason: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=suite.get("name", ""), name=_valid(name), time="0")
    if outcome == "fail":
        ET.SubElement(case, "failure", message=_valid(reason), type="limit")
    elif outcome == "inconclusive":
        ET.SubElement(case, "error", message=_valid(reason), type="inconclusive")


def _valid(text: str) -> str:
    """Remove characters that XML 1.0 does not allow. Error texts can contain data of the target."""
    return _INVALID.sub("", text)
