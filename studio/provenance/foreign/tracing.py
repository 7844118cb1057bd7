"""A ComfyUI graph while it is understood: values that come along links, and which inputs became a setting. Knows no kind of node."""

from __future__ import annotations

from dataclasses import dataclass, field

from studio.provenance.foreign.graph import Graph, Link, Node
from studio.provenance.foreign.sheet import Sheet

STEPS_BACK = 200
"""How far one thing is followed."""
_CONSTANTS = ("value", "Value", "int", "float", "number", "text", "string", "seed", "noise_seed")


@dataclass
class Reading:
    """A graph while it is understood. `used` are the inputs that became a setting, by node."""

    graph: Graph
    sheet: Sheet
    used: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def use(self, node: Node, name: str) -> None:
        """Note that an input became a setting."""
        self.used.setdefault(node.id, set()).add(name)

    def at(self, link: object) -> Node | None:
        """The node that a link leads to, reroutes passed."""
        for _ in range(STEPS_BACK):
            node = self.graph.get(link.node) if isinstance(link, Link) else None
            if node is None or "reroute" not in node.type.casefold():
                return node
            link = next((inner for _, inner in node.links()), None)
        return None

    def value(self, node: Node, name: str) -> object:
        """A plain value, or the constant that a link brings; None for what is worked out while the graph runs."""
        value = node.inputs.get(name)
        self.use(node, name)
        for _ in range(STEPS_BACK):
            if not isinstance(value, Link):
                return value
            source = self.at(value)
            if source is None:
                return None
            plain = dict(source.values())
            if {"string_a", "string_b"} <= plain.keys():
                self.used.setdefault(source.id, set()).update(plain)
                return f"{plain['string_a']}{plain.get('delimiter', '')}{plain['string_b']}"
            key = next((one for one in (*_CONSTANTS, name, *(plain if len(plain) == 1 else ())) if one in source.inputs), None)
            if key is None:
                return None
            self.use(source, key)
            value = source.inputs[key]
        return None

    def follow(self, node: Node, inputs: tuple[str, ...]) -> Node | None:
        """The node before this one, along the first of `inputs` that is a link."""
        return self.at(next((node.inputs[name] for name in inputs if isinstance(node.inputs.get(name), Link)), None))
