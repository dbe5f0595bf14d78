"""A flow as Mermaid text, which many Markdown pages show as a drawing."""

from starter.pages.flow import SOURCE, Flow, Node, short

_MARKS = {"#": "#35;", '"': "#quot;", "`": "#96;", "<": "#lt;", ">": "#gt;"}
"""What Mermaid would read as its own, or as HTML."""
WHY_LIMIT = 60
"""Of why a place lost, in a node that shall stay small."""


def mermaid(flow: Flow) -> str:
    """Return a flowchart: a subgraph per cloud, transfers as thick arrows with a label."""
    number = {node.id: f"n{position}" for position, node in enumerate(flow.nodes)}
    lines = ["flowchart LR"]
    for position, lane in enumerate(flow.lanes):
        lines.append(f'  subgraph lane{position}["{lane}"]')
        lines += [f"    {number[node.id]}{_shape(node)}" for node in flow.nodes if node.lane == lane]
        lines.append("  end")
    for edge in flow.edges:
        ends = number[edge.source], number[edge.target]
        thin = " --> " if edge.artifacts else " -.-> "
        lines.append(f"  {f' ==>|{_quoted(edge.told)}| '.join(ends) if edge.crossing else thin.join(ends)}")
    return "\n".join(lines) + "\n"


def _shape(node: Node) -> str:
    if node.kind == SOURCE:
        return f"[({_quoted(node.label)})]"
    words = f"{node.kind} {node.state}".strip()
    lines = (f"{node.label}: {words}", *(f"not {short(place)}: {_cut(why)}" for place, why in node.lost))
    # A break is the one mark of HTML that Mermaid's labels need; whatever stands between them is quoted.
    return f'["{"<br/>".join(_quoted(line)[1:-1] for line in lines)}"]'


def _cut(why: str) -> str:
    return why if len(why) <= WHY_LIMIT else f"{why[: WHY_LIMIT - 1]}…"


def _quoted(text: str) -> str:
    """Text that Mermaid takes as it is; names of objects may hold anything."""
    return '"' + "".join(_MARKS.get(sign, sign) for sign in text) + '"'
