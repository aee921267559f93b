"""Read YAML with the line of every value, for the messages of mistakes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import yaml

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """A mistake: its place and one sentence."""

    line: int
    key: str
    what: str


@dataclass(slots=True)
class Document:
    """Plain values with their places.

    Attributes:
        lines: The line (from 1) of each value's key, or of the value itself in a list, by path.
        mistakes: The mistakes of the text: invalid syntax, keys that are not text, and duplicate keys.
    """

    data: object = None
    lines: dict[Path, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line_of(self, path: Path) -> int:
        """Return the line of `path`, or of its nearest existing parent."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


def dotted(path: Path) -> str:
    """Return the path as text, as in `tasks.explain.fallback[1]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read_yaml(text: str) -> Document:
    """Read a document. Mistakes are recorded and not raised."""
    document = Document(lines={(): 1})
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        document.data = None if node is None else _value(loader, node, (), document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.mistakes.append(Mistake(mark.line + 1 if mark else 1, "", f"not YAML: {error.problem}"))
    except (yaml.YAMLError, RecursionError) as error:
        document.mistakes.append(Mistake(1, "", f"not YAML: {str(error) or 'nested too deeply'}".splitlines()[0]))
    finally:
        loader.dispose()
    return document


def _value(loader: yaml.SafeLoader, node: yaml.Node, path: Path, document: Document) -> object:
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, document)
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            document.lines[*path, index] = item.start_mark.line + 1
            items.append(_value(loader, item, (*path, index), document))
        return items
    return loader.construct_object(node)


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path, document: Document) -> dict[str, object]:
    values: dict[str, object] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = loader.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, Hashable) or not isinstance(key, str):
            document.mistakes.append(Mistake(line, dotted(path), "has a key that is not text; put the key in quotes"))
            continue
        here = (*path, key)
        if key in values:
            document.mistakes.append(
                Mistake(line, dotted(here), f"is defined twice; the first definition is in line {document.lines[here]}")
            )
            continue
        document.lines[here] = line
        values[key] = _value(loader, value_node, here, document)
    return values
