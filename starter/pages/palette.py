"""The colours of drawings: as names in a page, which knows light and dark, and as values in a picture of its own."""

PALETTE = {
    "paper": "#ffffff",
    "ink": "#1b1f24",
    "soft": "#57606a",
    "line": "#8c959f",
    "lane": "#f6f8fa",
    "edge": "#d0d7de",
    "node": "#ffffff",
    "move": "#0550ae",
    "done": "#1a7f37",
    "wait": "#8a5a00",
    "fail": "#cf222e",
    "live": "#0969da",
    "calm": "#656d76",
}
"""Each at least 4.5 to 1 on the paper it stands on where it is text (WCAG 2.2, 1.4.3); tests compute it."""
DARK = {
    "paper": "#0d1117",
    "ink": "#e6edf3",
    "soft": "#9da7b3",
    "line": "#6e7681",
    "lane": "#161b22",
    "edge": "#30363d",
    "node": "#0d1117",
    "move": "#79c0ff",
    "done": "#56d364",
    "wait": "#e3b341",
    "fail": "#ff7b72",
    "live": "#58a6ff",
    "calm": "#9198a1",
}
NAMED = {name: f"var(--{name})" for name in PALETTE}
"""For drawings within a page."""
TONES = {
    "PENDING": "calm",
    "RUNNING": "live",
    "PAUSING": "wait",
    "PAUSED": "wait",
    "WAITING": "wait",
    "SUCCEEDED": "done",
    "SKIPPED": "calm",
    "FAILED": "fail",
    "CANCELLED": "fail",
    "MOVED": "move",
    "QUEUED": "paper",
    "": "line",
}
"""By state; the bars of a timeline have two more."""
MARKS = {
    "PENDING": "·",
    "RUNNING": "▶",
    "PAUSING": "‖",
    "PAUSED": "‖",
    "WAITING": "?",
    "SUCCEEDED": "✓",
    "SKIPPED": "↷",
    "FAILED": "✗",
    "CANCELLED": "■",
    "": "",
}
"""A state is never told by its colour alone."""
