"""The papers as a site needs them: every page at its place, every file and folder that a page links to beside it."""

import re
import shutil
import subprocess
from pathlib import Path

PATTERNS = ("*.md", "docs/**/*.md", "pipelines/*/README.md")
_LINK = re.compile(r"\]\((?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
_FENCE = re.compile(r"^```(\w+) [^\n]*$", re.MULTILINE)
_SPLIT = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def gather(checkout: Path, folder: Path) -> None:
    """Copy every paper of a checkout, and what they link to, into a folder."""
    for pattern in PATTERNS:
        for paper in sorted(checkout.glob(pattern)):
            target = folder / paper.relative_to(checkout)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_page(paper, checkout, folder))


def _page(paper: Path, checkout: Path, folder: Path) -> str:
    """The page's text; links to folders lead to pages that list them, and fences keep their language alone.

    What stands after the language, as in `yaml pipeline`, is for tests; the generator would take no such fence for one.
    """
    parts = _SPLIT.split(paper.read_text())
    for number, part in enumerate(parts):
        if number % 2:
            parts[number] = _FENCE.sub(r"```\1", part)
        else:
            parts[number] = _LINK.sub(lambda link: _linked(link, paper, checkout, folder), part)
    return "".join(parts)


def _linked(link: re.Match[str], paper: Path, checkout: Path, folder: Path) -> str:
    found = (paper.parent / link["path"]).resolve()
    if found.suffix == ".md" or not found.exists():
        return link[0]
    target = folder / found.relative_to(checkout)
    if found.is_dir():
        _list(found, target, checkout)
        return f"]({link['path'].rstrip('/')}/index.md)"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(found, target)
    return link[0]


def _list(found: Path, target: Path, checkout: Path) -> None:
    """Write a page that names the files of a folder, and copy those that are no pages.

    Only what git holds: beside it may lie settings of the reader's own.
    """
    target.mkdir(parents=True, exist_ok=True)
    files = [checkout / name for name in held(checkout, found)]
    for file in files:
        beside = target / file.relative_to(found)
        if file.suffix != ".md":
            beside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, beside)
    names = [file.relative_to(found) for file in files]
    lines = "\n".join(f"- [{name}]({name})" for name in names)
    (target / "index.md").write_text(f"# {found.name}\n\n{lines}\n")


def held(checkout: Path, folder: Path) -> list[str]:
    """The files of a folder that git holds, by their names in the checkout."""
    command = ["git", "ls-files", "-z", "--", str(folder)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.split("\0")[:-1]
