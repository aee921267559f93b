"""Test the comment of a pull request: the conclusion is first, and no text from outside becomes markup or a link."""

from __future__ import annotations

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from loadgate.analysis.ab.result import AbResult
from loadgate.analysis.decision import RuleOutcome
from loadgate.report.ab.summary import MAX_CHARACTERS, markdown_summary, marker
from loadgate.report.ab.wording import command, margins_sentence
from loadgate.report.markdown import cut, escaped
from tests.loadgate.report.ab.documents import KINDS, change, document, failed, hostile, huge, passed, two_guards_broken

TAGS = {
    *("p", "/p", "h3", "/h3", "ul", "/ul", "li", "/li", "strong", "/strong"),
    *("pre", "/pre", "code", "/code"),
    *("table", "/table", "thead", "/thead", "tbody", "/tbody", "tr", "/tr", "th", "/th", "td", "/td"),
}
GAP = "\u200b"


def rendered(markdown: str) -> str:
    """The HTML of Markdown. Hosts then replace mentions and the like in its texts."""
    return MarkdownIt("commonmark").enable("table").render(markdown)


def test_the_conclusion_is_the_first_line_and_each_rule_has_a_row() -> None:
    lines = markdown_summary(failed()).splitlines()
    assert lines[0] == "### FAIL: auth p95 is 17.0 % slower: 400 ms to 468 ms"
    assert lines[2] == "| Rule | Base | Head | Change | Interval (95 %) | Outcome | Why |"
    assert lines[4:6] == [
        "| auth: p95 | 400 ms | 468 ms | +17.0 % | +13.0 to +21.0 % | FAIL | 17.0 % slower, at least 13.0 % |",
        "| tasks: p99 | 400 ms | 408 ms | +2.00 % | -1.00 to +5.00 % | PASS | at most 5 % slower, below 10 % |",
    ]


def test_power_guards_names_sides_and_the_marker_follow() -> None:
    lines = markdown_summary(two_guards_broken()).splitlines()
    assert lines[0] == "### INCONCLUSIVE: the control server was 3.4 % slower with head"
    for line in (
        margins_sentence(failed().plan),
        "With a probability of 80 %, 10 pairs detect a change of +4.50 % of auth: p95.",
        "- **Not fair:** The arrival rates differ by 4 %.",
        "Conditions of a fair comparison that are met: enough pairs.",
        "| POST /api/v1/auth/login | 400 ms | 470 ms | +17.5 % | +12.0 to +23.0 % |",
        "- Not compared: auth: requests > 1000 (the load decides it)",
        "Base: main (b619dea0b619). Head: faster-login (336552c03365, 3 uncommitted files).",
    ):
        assert line in lines
    assert lines[-1] == "<!-- loadgate ab medium -->"


def test_the_command_is_a_block_of_code() -> None:
    lines = markdown_summary(failed()).splitlines()
    at = lines.index("```shell")
    assert (
        lines[at - 2]
        == "To measure this again: It needs the working tree with 3 uncommitted files, which no commit has."
    )
    assert lines[at + 1 : at + 3] == [command(failed().plan), "```"]


@pytest.mark.parametrize("profile", ["a```b", "`" * 50, "a\n```\n@team", "x" * 5000])
def test_no_name_ends_the_block_of_code(profile: str) -> None:
    made = failed()
    made = made.model_copy(update={"plan": made.plan.model_copy(update={"profile": profile})})
    html = rendered(markdown_summary(made))
    (block,) = re.findall(r"(?s)<pre>.*?</pre>", html)
    assert "loadgate ab b619dea0b619" in block
    assert html.count("<code") == 1
    assert html.rstrip().endswith(f"</pre>\n{marker(profile)}")


def test_each_profile_has_its_own_marker_on_one_line() -> None:
    assert marker("medium") != marker("a b") != marker("a-b")
    for profile in ("--> <script>\n", "x" * 1000, "é☃"):
        assert re.fullmatch(r"<!-- loadgate ab [\w.~%-]{1,100} -->", marker(profile), re.ASCII)
    assert markdown_summary(hostile()).splitlines()[-1] == marker(hostile().plan.profile)


@pytest.mark.parametrize("kind", KINDS)
def test_the_summary_is_shorter_than_hosts_allow(kind: str) -> None:
    assert len(markdown_summary(KINDS[kind]())) < MAX_CHARACTERS


@pytest.mark.parametrize("text", ["&[" * 9999, '$"' * 9999, "@" * 9999, "<|" * 9999])
def test_the_longest_texts_are_cut(text: str) -> None:
    rules = [change(text, reason=text) for _ in range(200)]
    judged = AbResult(RuleOutcome.PASS, text, True, 10, tuple(rules), (), (), ())
    summary = markdown_summary(document(judged, base=text, head=text, scopes=text))
    assert len(summary) < MAX_CHARACTERS
    assert re.search(r"\n\n\d+ more rules are in ab\.html\.\n", summary)


def test_names_that_have_no_room_are_counted() -> None:
    shown = re.search(r"(\d+) more changed request names are in ab\.html\.", markdown_summary(huge()))
    assert shown is not None
    assert 300 < int(shown[1]) < 500


@pytest.mark.parametrize("kind", ["hostile", "huge", "passed"])
def test_text_from_outside_cannot_become_markup(kind: str) -> None:
    html = rendered(markdown_summary(KINDS[kind]())).replace(marker(KINDS[kind]().plan.profile), "")
    assert set(re.findall(r"<(/?\w+|!)", html)) <= TAGS


def test_text_from_outside_cannot_become_a_mention_or_a_link() -> None:
    html = re.sub(r"(?s)<pre>.*?</pre>", "", rendered(markdown_summary(hostile())))
    text = unescape(re.sub(r"<[^>]*>", "\n", html))
    assert "@\u200bteam" in text
    assert not re.search(r"@\w|#\d|:tada:|://|www\.|!\[|GH-\d", text)
    # The head of the table is the only row with as many cells as the table has columns for each rule.
    assert {row.count("<td") + row.count("<th") for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)} == {5, 7}


@pytest.mark.parametrize(
    "text",
    [
        *("@team", "a@b.example", "#17", "org/repo#17", "GH-17", "!5", "%3", "~label", "$12", "&4", ":tada:", ":+1:"),
        *("http://x.example", "www.x.example", "[a](b)", "![a](b)", "<b>", "<!-- a -->", "`a`", "*a*", "_a_", "~~a~~"),
        *("a | b", "# a", "> a", "- a", "+ a", "1. a", "1) a", "===", "---", "\\", "$a$", "&lt;", "&amp;"),
    ],
)
def test_escaped_text_reads_as_it_was(text: str) -> None:
    shown = rendered(escaped(text))
    assert re.findall(r"<(/?\w+)", shown) == ["p", "/p"]
    assert unescape(shown.removeprefix("<p>").removesuffix("</p>\n")).replace(GAP, "") == text


@pytest.mark.parametrize("text", ["@team", "a@b", "#1", "GH-1", "!5", "%3", "~l", "$1", "&4", ":tada:", "http://x"])
def test_a_reference_has_a_gap(text: str) -> None:
    assert GAP in unescape(rendered(escaped(text)))


def test_plain_texts_and_commits_are_not_changed() -> None:
    for text in (
        "auth: p95",
        "+17.0 % to 4.5 %",
        "GET /api/v1/items",
        "b619deab619deab619dea",
        "12:30",
        "127.0.0.1:80",
    ):
        assert escaped(text).replace("\\", "") == text


def test_a_text_is_one_line_without_invisible_characters() -> None:
    assert escaped("a\r\n\tb \u202e\u200bc") == "a b ??c"


def test_a_long_text_is_cut() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcde…"


def test_a_passed_comparison_reads_pass() -> None:
    assert markdown_summary(passed()).startswith("### PASS: no rule is more than 10 % slower; ")
