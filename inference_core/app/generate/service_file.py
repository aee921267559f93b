"""Add a feature to the list in a service file. Comments, formatting and line ends are kept."""

from __future__ import annotations

import ast
import re

from inference_core.app.generate.errors import GenerateError

LIST = "load_features"
CODE = re.compile(rb"([^#\n]*)(?:#[^\n]*)?\n?")


def with_feature(source: bytes, package: str, where: str) -> bytes:
    """Return the source of a service file with `package` as the last argument of `load_features(...)`.

    Raises:
        GenerateError: The file is not valid Python, or does not have exactly one such list. `where` starts the text.
    """
    tree = _parsed(source, where)
    call = _the_list(tree, package, where)
    edited = _edited(source, call, package)
    edited_tree = _parsed(edited, where)
    added = _the_list(edited_tree, package, where).args.pop()
    if ast.dump(edited_tree) != ast.dump(tree) or ast.literal_eval(added) != package:
        raise GenerateError(f'{where}: the list of features cannot be edited; add "{package}" to it')
    return edited


def _parsed(source: bytes, where: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise GenerateError(f"{where}: it is not valid Python: {error}") from None


def _the_list(tree: ast.Module, package: str, where: str) -> ast.Call:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(LIST)]
    if len(calls) != 1:
        raise GenerateError(
            f'{where}: it needs exactly one features={LIST}("package", ...), to which "{package}" is added'
        )
    return calls[0]


def _edited(source: bytes, call: ast.Call, package: str) -> bytes:
    lines = source.splitlines(keepends=True)

    def place(line: int, column: int) -> int:
        return sum(map(len, lines[: line - 1])) + column

    entry = f'"{package}"'.encode()
    # What follows the last argument: a comma, blanks, comments and line ends.
    last = call.args[-1] if call.args else None
    start = place(*_end_of(last or call.func)) + (0 if last else 1)
    end = place(*_end_of(call)) - 1
    rest = source[start:end]
    comma = _comma_in(rest) if last else None
    if b"\n" not in rest:
        if comma is not None:
            return source[:end] + b" " + entry + b"," + source[end:]
        return source[:end] + (b", " if last else b"") + entry + source[end:]
    line_end = b"\r\n" if b"\r\n" in rest else b"\n"
    if last is None:
        line = place(call.end_lineno or 0, 0)
        indent = source[line:end] + b"    "
        return source[:line] + indent + entry + b"," + line_end + source[line:]
    indent = re.match(rb"\s*", lines[last.lineno - 1])[0]  # type: ignore[index]  # it matches any line
    if comma is None:
        rest, comma = b"," + rest, 0
    line = rest.find(b"\n", comma) + 1
    return source[:start] + rest[:line] + indent + entry + b"," + line_end + rest[line:] + source[end:]


def _end_of(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


def _comma_in(rest: bytes) -> int | None:
    """Return the place of the comma that is not in a comment. None if there is none."""
    for line in CODE.finditer(rest):
        if (comma := line[1].find(b",")) >= 0:
            return line.start() + comma
    return None
