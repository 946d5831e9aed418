"""A contract that extends another: which keys it has from that one, and what it leaves out. Pure.

The values of both files become those of one contract before anything is validated, so that it is read like
any other. A key that a contract writes itself replaces the inherited one, except `requirements`, to which it
adds. Inherited values have the position of the key `extends`: whatever is wrong with them here is the doing
of the contract that extends.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from waitproof.errors import nearest
from waitproof.suite.document import Document
from waitproof.suite.yaml import Node, Position

__all__ = ["EXTENDS", "WITHOUT", "check_without", "fill_in", "names_left_out"]

EXTENDS = "extends"
WITHOUT = "without"
_NEVER_INHERITED = {"format", "name", EXTENDS, WITHOUT}  # they say what this very file is


def names_left_out(root: Node) -> set[str]:
    """Return what a contract's values leave out: ids of requirements and of scenarios."""
    return {each.value for each in root.items(WITHOUT) if isinstance(each.value, str)}


def check_without(document: Document, known: Collection[str], base: str, argument: str) -> None:
    """Report what a contract leaves out although the suite that it extends does not have it.

    Args:
        document: The contract that extends.
        known: The ids of requirements and scenarios of the other suite.
        base: That suite's name.
        argument: What names it on a command line.
    """
    seen: set[str] = set()
    for number, item in enumerate(document.root.items(WITHOUT)):
        if not isinstance(item.value, str):
            continue  # the model reports it
        if item.value in seen:
            document.add((WITHOUT, number), f"'{item.value}' appears twice", fix="remove one of them")
        elif item.value not in known:
            fact = f"'{item.value}' is neither a requirement nor a scenario of '{base}'"
            fix = nearest(item.value, known) or f"'waitproof explain --suite {argument}' lists its promises"
            document.add((WITHOUT, number), fact, fix=fix)
        seen.add(item.value)


def fill_in(document: Document, base: Node) -> None:
    """Add what a contract inherits to its values.

    Args:
        document: The contract that extends.
        base: The values of the contract that it extends, with what that one inherits itself.
    """
    root = document.root
    if not isinstance(root.value, dict) or not isinstance(base.value, dict):
        return
    at = root.keys[EXTENDS]
    left_out = names_left_out(root)
    inherited = {
        key: _at(node, at)
        for key, node in base.value.items()
        if key not in _NEVER_INHERITED and not (key == "example" and node.value in left_out)
    }
    kept = [_at(node, at) for node in base.items("requirements") if node.get("id").value not in left_out]
    own = root.value.get("requirements", Node((), *at))
    value = {**inherited, **root.value}
    if isinstance(own.value, tuple):
        value["requirements"] = replace(own, value=(*kept, *own.value))
    document.root = replace(root, value=value, keys={**dict.fromkeys(inherited, at), **root.keys})


def _at(node: Node, at: Position) -> Node:
    """Return the same value at another position."""
    line, column = at
    if isinstance(node.value, dict):
        children = {key: _at(child, at) for key, child in node.value.items()}
        return replace(node, value=children, line=line, column=column, keys=dict.fromkeys(children, at))
    if isinstance(node.value, tuple):
        return replace(node, value=tuple(_at(child, at) for child in node.value), line=line, column=column)
    return replace(node, line=line, column=column)
