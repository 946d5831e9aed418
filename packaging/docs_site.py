"""A hook of mkdocs for the site: the README is the first page, and lists are read as on GitHub."""

from __future__ import annotations

from pathlib import Path

from markdown import Markdown
from markdown.blockprocessors import build_block_parser
from markdown.extensions import Extension
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

README = Path(__file__).parent.parent / "README.md"


class ListsAsOnGitHub(Extension):
    """Takes what is indented by three spaces as part of a numbered item; Python's Markdown wants four."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - its name in the library
        """Set it, and make the parser again, whose parts have read it."""
        md.tab_length = 3
        md.parser = build_block_parser(md)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the extension before all others, which add to the parser."""
    config.markdown_extensions.insert(0, ListsAsOnGitHub())  # type: ignore[arg-type] # names only, says mkdocs
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the README, whose links to docs/ lead to pages of the site."""
    text = README.read_text(encoding="utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "index.md", content=text))
    return files
