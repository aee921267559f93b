"""junit.xml: one case a rule, for CI systems that show test results."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from loadgate.report.text import rule_limit, rule_quantity


def junit_xml(document: dict[str, Any]) -> str:
    """Return the verdict as a JUnit test suite; an inconclusive rule is an error, since nothing was shown.

    What spoils a run whose rules all held, such as an interruption, is a case of its own.
    """
    verdict, run = document["verdict"], document["run"]
    suite = ET.Element("testsuite", name=_valid(f"loadgate.{run['profile']['name']}"), timestamp=run["started_at"])
    for rule in verdict["rules"]:
        _add_case(suite, rule["rule"], rule["outcome"], _sentence(rule))
    if not any(rule["outcome"] == verdict["outcome"] for rule in verdict["rules"]):
        _add_case(suite, "run", verdict["outcome"], verdict["reason"])
    cases = list(suite)
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("time", f"{run['duration_s']:.3f}")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_case(suite: ET.Element, name: str, outcome: str, reason: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=suite.get("name", ""), name=_valid(name), time="0")
    if outcome == "fail":
        ET.SubElement(case, "failure", message=_valid(reason), type="limit")
    elif outcome == "inconclusive":
        ET.SubElement(case, "error", message=_valid(reason), type="inconclusive")
    else:
        ET.SubElement(case, "system-out").text = _valid(reason)


def _sentence(rule: dict[str, Any]) -> str:
    return f"{rule['reason']} (limit {rule_limit(rule)}, measured {rule_quantity(rule, rule['value'])})"


def _valid(text: str) -> str:
    """Leave out what XML 1.0 cannot hold; error texts come from the target."""
    return "".join(char for char in text if char in "\t\n\r" or (char >= " " and char not in "\ufffe\uffff"))
