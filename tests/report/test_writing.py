"""A report is a whole one of this run, or none: whatever is at its place, and whatever goes wrong."""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from pathlib import Path
from typing import NoReturn

import pytest
from fakes import MINI
from made_reports import merged, result
from waitproof.cli import main
from waitproof.errors import InputError
from waitproof.report.outputs import clear_paths, write_reports
from waitproof.report.writing import is_stream, remove_file, write_file


@pytest.fixture
def no_new_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow nothing but to write into files that are there, as a mount point or a read-only folder does."""

    def busy(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "unlink", busy)
    monkeypatch.setattr(os, "replace", busy)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".waitproof-"))


def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    usual, own = tmp_path / "usual", tmp_path / "own"
    own.touch(mode=0o600)
    (tmp_path / "made").touch()

    write_file(usual, "a")
    write_file(own, "b")

    assert (usual.read_text(), own.read_text()) == ("a", "b")
    assert usual.stat().st_mode == (tmp_path / "made").stat().st_mode
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert len(list(tmp_path.iterdir())) == 3


def test_a_report_goes_through_a_link_which_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "r", tmp_path / "r"
    link.symlink_to(target)

    write_file(link, "first")
    remove_file(link)
    gone = not target.exists()
    write_file(link, "second")

    assert gone
    assert link.is_symlink()
    assert target.read_text() == "second"


@pytest.mark.usefixtures("no_new_files")
def test_a_file_that_cannot_be_replaced_is_emptied_and_written_in_place(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_text("of yesterday")

    remove_file(path)
    emptied = path.read_text()
    write_file(path, "of today")

    assert (emptied, path.read_text()) == ("", "of today")


@pytest.mark.usefixtures("no_new_files")
def test_a_file_that_can_only_be_written_in_place_is_not_left_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r"
    path.touch()

    def half(self: Path, data: bytes) -> NoReturn:
        with self.open("wb") as file:
            file.write(data[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(InputError, match="the report cannot be written: no space left on device"):
        write_file(path, "of today")

    assert path.read_text() == ""


def test_a_failed_write_leaves_nothing_and_spares_the_other_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def fail_for_html(source: Path, target: Path) -> None:
        if target.suffix == ".html":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_for_html)
    files = {f"--{name}": tmp_path / f"r.{name}" for name in ("html", "markdown", "badge")}

    mistakes = write_reports(merged(result()), files)

    fact = "the report cannot be written: no space left on device"
    assert [str(each) for each in mistakes] == [f"{files['--html']}: {fact}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.badge", "r.markdown"]


def test_a_fifo_is_written_to_after_the_files_and_is_never_removed(tmp_path: Path) -> None:
    fifo, file = tmp_path / "fifo", tmp_path / "file"
    os.mkfifo(fifo)
    seen: list[tuple[bool, str]] = []

    def read() -> None:
        text = fifo.read_text()
        seen.append((file.exists(), text))

    reader = threading.Thread(target=read)
    reader.start()
    requested = {"--badge": fifo, "--markdown": file}
    clear_paths(requested)
    mistakes = write_reports(merged(result()), requested)
    reader.join()

    assert mistakes == []
    assert [(is_there, '"schemaVersion": 1' in text) for is_there, text in seen] == [(True, True)]
    assert is_stream(fifo)


def test_a_dash_is_standard_output_which_is_not_emptied(capfd: pytest.CaptureFixture[str]) -> None:
    sys.stdout.write("before\n")
    clear_paths({"--html": Path("-"), "--badge": Path("-"), "--junit": Path("/dev/stdout")})
    write_file(Path("-"), "one\n")
    write_file(Path("/dev/stdout"), "two\n")
    sys.stdout.write("after\n")

    assert capfd.readouterr().out == "before\none\ntwo\nafter\n"
    assert not Path("-").exists()


@pytest.mark.parametrize("place", ["loop", "x" * 300])
def test_a_path_that_leads_nowhere_is_wrong_use(place: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "pool")
    (tmp_path / "pool").symlink_to(tmp_path / "loop")

    with pytest.raises(InputError, match=r"^--html: .* cannot be written: .*(symbolic links|name too long)$"):
        clear_paths({"--html": tmp_path / place})


def test_a_link_to_a_folder_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "no" / "r.html")

    with pytest.raises(
        InputError, match=r"^--html: the folder of .*link does not exist\n  fix:      mkdir -p"
    ):
        clear_paths({"--html": tmp_path / "link"})


def test_wrong_use_leaves_no_report_of_yesterday(tmp_path: Path) -> None:
    for name in ("r.json", "r.html", "r.xml"):
        (tmp_path / name).write_text("yesterday's")
    old = {option: str(tmp_path / name) for option, name in (("--json", "r.json"), ("--html", "r.html"))}
    options = [word for each in old.items() for word in each]

    codes = [
        main(["run", *options]),
        main(["report", str(tmp_path / "none.json"), "--junit", str(tmp_path / "r.xml")]),
    ]

    assert codes == [2, 2]
    assert names(tmp_path) == []


def test_a_path_that_is_refused_keeps_its_file_and_the_others_are_still_removed(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("to be read")
    (tmp_path / "page.html").write_text("yesterday's")
    options = ["--html", str(tmp_path / "page.html"), "--junit", str(tmp_path / "a.json")]

    assert main(["report", str(tmp_path / "a.json"), *options]) == 2

    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("command", ["run", "prove"])
def test_a_suite_that_cannot_be_read_leaves_no_report_of_yesterday(command: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("yesterday's")
    adapter = ["--adapter", "true"] if command == "run" else []

    assert main([command, *adapter, "--suite", str(MINI / "no"), "--markdown", str(page)]) == 2

    assert names(tmp_path) == []
