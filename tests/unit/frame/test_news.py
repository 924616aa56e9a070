"""`tools/news.py`: fragments are well-formed and become the change log."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from tools.news import ROOT, read_fragments, release, render


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "news").mkdir()
    (tmp_path / "news" / "README.md").write_text("how to\n")
    (tmp_path / "news" / "12.fixed.md").write_text("A queue\nno longer sticks.\n")
    (tmp_path / "news" / "3.fixed.2.md").write_text("Sockets close.")
    (tmp_path / "news" / "12.added.md").write_text("Pools.")
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n<!-- releases -->\n\n## 1.0\n")
    return tmp_path


def test_the_fragments_of_this_project_are_well_formed() -> None:
    assert render("next release", read_fragments(ROOT / "news")).startswith("## next release\n")


def test_a_release_moves_the_fragments_into_the_change_log(project: Path) -> None:
    release(project, "1.1", datetime.date(2026, 3, 4))

    assert (project / "CHANGELOG.md").read_text() == (
        "# Changes\n\n<!-- releases -->\n\n"
        "## 1.1 (2026-03-04)\n\n"
        "### Added\n\n- Pools. (#12)\n\n"
        "### Fixed\n\n- Sockets close. (#3)\n- A queue no longer sticks. (#12)\n"
        "\n## 1.0\n"
    )
    assert [path.name for path in (project / "news").iterdir()] == ["README.md"]


@pytest.mark.parametrize("name", ["fixed.md", "12.broken.md", "12.fixed.txt"])
def test_a_file_of_another_name_is_refused(project: Path, name: str) -> None:
    (project / "news" / name).write_text("text")

    with pytest.raises(ValueError, match="is not <issue>"):
        read_fragments(project / "news")


def test_an_empty_fragment_is_refused(project: Path) -> None:
    (project / "news" / "13.fixed.md").write_text(" \n")

    with pytest.raises(ValueError, match=r"13\.fixed\.md says nothing"):
        read_fragments(project / "news")
