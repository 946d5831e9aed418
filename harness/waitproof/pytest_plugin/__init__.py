"""The suite as pytest items, and the fixture `task_server`.

`pytest scenarios --waitproof-adapter adapters/my-sdk` collects YAML files below a contract.yaml; without an
adapter it collects none. `--waitproof-suite stream` collects a suite wherever it is. The run starts with
pytest's test loop and plays everything that was selected; each item waits for its verdict. Every pytest
session loads this module, so it imports nothing else of waitproof until an adapter is named or the fixture is
used. Only pytest's public interface is used.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from waitproof.mock import TaskServer
    from waitproof.pytest_plugin.session import Session

__all__ = ["SESSION", "WaitproofWarning", "task_server", "task_server_suite"]

SESSION: pytest.StashKey[Session] = pytest.StashKey()  # only where an adapter is named


class WaitproofWarning(UserWarning):
    """An SDK does not follow a SHOULD."""


@pytest.fixture(scope="session")
def task_server_suite() -> Path | None:
    """Return the folder of the suite whose scenarios `task_server` knows; None for the bundled one.

    Override this fixture to serve another suite.
    """
    return None


@pytest.fixture
def task_server(task_server_suite: Path | None) -> Iterator[TaskServer]:
    """Yield a mock task server that listens: `add` a task, point a client at `base_url`.

    Until the test has ended, no client in this process uses a proxy for this machine.
    """
    from waitproof.mock import TaskServer  # noqa: PLC0415 - see the module's docstring
    from waitproof.suite import Catalog  # noqa: PLC0415

    direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if direct != "*":  # which means every host, as long as it is alone
        direct = ",".join(filter(None, [direct, "127.0.0.1", "localhost"]))
    with pytest.MonkeyPatch.context() as patch, TaskServer(catalog=Catalog(task_server_suite)) as server:
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, direct)
        yield server


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, except `--adapter`, and the ini option for a project's usual adapters."""
    group = parser.getgroup("waitproof", "conformance of an SDK's wait helper")
    group.addoption(
        "--waitproof-adapter",
        action="append",
        default=[],
        metavar="X",
        help="adapter of the SDK to judge: a folder with adapter.yaml, or a command; repeatable",
    )
    group.addoption(
        "--waitproof-suite",
        metavar="DIR",
        help="suite to run: a folder with a contract.yaml, or a bundled suite's name; without a path on the "
        "command line, nothing else is run",
    )
    group.addoption(
        "--waitproof-scenarios",
        action="append",
        default=[],
        metavar="DIR",
        help="folder with more scenario files for that suite, or one such file; repeatable",
    )
    help_text = "adapters to use where the command line names none: folders relative to rootdir, or commands"
    parser.addini("waitproof_adapters", help_text, type="args", default=[])


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Iterator[None]:
    """Add `--adapter`, the short name, unless a plugin or a conftest.py of the project has taken it."""
    paths = early_config.known_args_namespace.file_or_dir
    for option, value in itertools.pairwise(args):  # until then, pytest takes its value for a path
        if option == "--adapter" and value in paths:
            paths.remove(value)
    yield
    with contextlib.suppress(ValueError, argparse.ArgumentError):
        parser.addoption(
            "--adapter",
            action="append",
            default=[],
            dest="waitproof_adapter",
            metavar="X",
            help="the same as --waitproof-adapter",
        )


def pytest_configure(config: pytest.Config) -> None:
    """Begin a session of ours when an adapter is named.

    Raises:
        UsageError: An adapter or a suite that was named does not exist, or its files have mistakes.
    """
    root = config.rootpath
    usual = [
        str(root / each) if (root / each).is_dir() else each for each in config.getini("waitproof_adapters")
    ]
    arguments = config.getoption("waitproof_adapter") or usual
    suite, scenarios = config.getoption("--waitproof-suite"), config.getoption("--waitproof-scenarios")
    if not arguments and (suite or scenarios):
        name = "--waitproof-suite" if suite else "--waitproof-scenarios"
        raise pytest.UsageError(
            f"{name}: no adapter is named: add --waitproof-adapter with its folder or its command"
        )
    if arguments:
        from waitproof.pytest_plugin.session import Session  # noqa: PLC0415 - see the module's docstring

        session = config.stash[SESSION] = Session(config, arguments, suite, scenarios)
        if (suite or scenarios) and not config.getoption("file_or_dir"):
            config.args[:] = []
        config.args += session.paths()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a YAML file below a contract, when there is an adapter to judge."""
    session = parent.config.stash.get(SESSION, None)
    if session is None or file_path.suffix not in {".yaml", ".yml"}:
        return None
    return session.file(file_path, parent)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add an item for each baseline entry that none of the collected items can report on."""
    ours = session.config.stash.get(SESSION, None)
    if ours is not None:
        items += ours.baseline_items(session, items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Start the run when the test loop starts, and end it with the loop, however that ends."""
    ours = session.config.stash.get(SESSION, None)
    if ours is None:
        return (yield)
    option = session.config.option
    is_refused = session.testsfailed and not option.continue_on_collection_errors
    if not option.collectonly and not is_refused:
        ours.start(session.items)
    try:
        return (yield)
    finally:
        ours.stop()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session in which every item passed although a process of an adapter died."""
    ours = session.config.stash.get(SESSION, None)
    if ours is not None and session.exitstatus == pytest.ExitCode.OK and ours.deaths():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report the processes of adapters that died."""
    ours = config.stash.get(SESSION, None)
    lines = [] if ours is None else ours.deaths()
    if lines:
        from waitproof.pytest_plugin.items import printable  # noqa: PLC0415 - see the module's docstring

        terminalreporter.section("processes of adapters that died", red=True)
        for line in lines:
            terminalreporter.write_line(printable(line))
