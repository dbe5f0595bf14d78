"""The docs as a site, built once: strictly, complete, and such that a reader needs no network."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from contracts.errors import ErrorKind
from handbook import fields, papers, reference, site
from starter.spec.fields import described_schema, models_of, own_fields, said_of
from tests.docs import books
from tests.house import CHECKOUT

LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Seen(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {value for name, value in attrs if name == "id" and value}
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag in LOADS and given.get(LOADS[tag]) and given.get("rel") != "canonical":
            self.loaded.append(str(given[LOADS[tag]]))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("docs") / "site"
    site.build(CHECKOUT, target)
    return target


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[Path, Seen]:
    # The page for what is not there is written for a server's root.
    found = [page for page in built.rglob("*.html") if page.name != "404.html"]
    return {page: Seen(page.read_text()) for page in found}


def page_of(paper: str) -> str:
    """Where a paper is in the site."""
    return re.sub(r"(^|/)README\.md$", r"\1index.md", paper).removesuffix(".md") + ".html"


def test_every_paper_is_a_page_and_stands_in_the_navigation(built: Path) -> None:
    names = [books.name_of(paper) for paper in books.PAPERS]
    assert [name for name in names if not (built / page_of(name)).is_file()] == []
    config = site.CONFIG.read_text()
    assert [name for name in names if f'"{name}"' not in config] == [], "name it in handbook/zensical.toml"


def test_every_link_of_the_site_leads_somewhere(pages: dict[Path, Seen]) -> None:
    lost = []
    for page, seen in pages.items():
        for link in [*seen.links, *seen.loaded]:
            if re.match(r"https?:|mailto:|data:", link):
                continue
            path, _, anchor = unquote(link).partition("#")
            target = (page.parent / path).resolve() if path else page
            there = target.is_file() and (not anchor or target not in pages or anchor in pages[target].ids)
            lost += [] if there else [(page.name, link)]
    assert lost == []


def test_a_reader_needs_no_network(built: Path, pages: dict[Path, Seen]) -> None:
    fetched = {link for seen in pages.values() for link in seen.loaded if re.match(r"(https?:)?//", link)}
    assert fetched == set()
    styles = [file.read_text() for file in built.rglob("*.css")]
    assert styles
    assert [text for text in styles if re.search(r"(url\(|@import )[\"']?(https?:)?//", text)] == []


def test_a_fence_with_a_word_for_tests_is_shown_as_code(built: Path) -> None:
    text = (built / "docs/pipelines.html").read_text()
    assert text.count("language-yaml") == sum(
        fence.info.startswith("yaml") for fence in books.fences("docs/pipelines.md")
    )
    assert [page.name for page in built.rglob("*.html") if "```" in page.read_text()] == []


def test_every_kind_of_error_can_be_linked_to(pages: dict[Path, Seen], built: Path) -> None:
    assert {kind.lower() for kind in ErrorKind} <= pages[built / "docs/troubleshooting.html"].ids


@pytest.mark.parametrize("link", ["nowhere.md", "docs/settings.md#nowhere"])
def test_a_broken_link_ends_the_build_and_is_named(tmp_path: Path, link: str) -> None:
    checkout, target = tmp_path / "checkout", tmp_path / "site"
    for name in re.findall(r'"([^" ]+\.md)"', site.CONFIG.read_text()):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("# A page\n")
    (checkout / "README.md").write_text(f"# Causeway\n\n[lost]({link})\n")
    with pytest.raises(site.BrokenSite, match=r"README\.md:3"):
        site.build(checkout, target)
    assert not target.exists()


def test_a_folder_is_listed_as_git_holds_it(built: Path) -> None:
    listed = papers.held(CHECKOUT, CHECKOUT / "docs/env")
    assert "docs/env/aws.env.example" in listed
    assert [name for name in listed if not (built / name).is_file()] == []
    assert papers.held(CHECKOUT, CHECKOUT / ".venv") == []


def test_the_reference_is_what_the_code_says() -> None:
    assert reference.PAGE.read_text() == reference.page(), "write it again with: python -m handbook reference"


def test_every_field_says_what_it_is_for_and_stands_in_the_reference() -> None:
    models = [*models_of(fields.PipelineSpec), *fields.SHARED]
    assert set(models) == set(fields.SECTIONS)
    silent = [
        (model.__name__, name)
        for model in models
        for name in own_fields(model)
        if name != "kind" and name not in said_of(model)
    ]
    assert silent == []


def test_an_editor_is_told_what_each_field_is_for_and_a_default_that_a_pipeline_may_hold() -> None:
    schema = described_schema()
    stage = schema["$defs"]["JobStage"]["properties"]
    assert stage["command"]["description"].startswith("Split as a shell would")
    assert stage["after"]["description"].startswith("Stages that must have succeeded")
    assert schema["$defs"]["Defaults"]["properties"]["timeout"]["default"] == "30m"
