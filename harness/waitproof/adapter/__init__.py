"""One SDK's program: its folder, its preparation, its process, and the kits to write one."""

from waitproof.adapter.answers import AnswersBudget
from waitproof.adapter.command import AdapterCommand, clean_environment
from waitproof.adapter.folder import (
    FILE_NAME,
    AdapterSpec,
    adapters_in,
    baseline_file,
    find_adapter,
    given_name,
    read_adapter,
    unique_names,
)
from waitproof.adapter.inputs import input_files, watched_files
from waitproof.adapter.kept_waiting import starvation
from waitproof.adapter.kits import EXAMPLE_CLIENT, check_language, languages, new_adapter
from waitproof.adapter.preparation import prepare
from waitproof.adapter.process import AdapterProcess, PendingCall, close_all
from waitproof.adapter.sdk import LocalSdk, find_sdks, install_from

__all__ = [
    "EXAMPLE_CLIENT",
    "FILE_NAME",
    "AdapterCommand",
    "AdapterProcess",
    "AdapterSpec",
    "AnswersBudget",
    "LocalSdk",
    "PendingCall",
    "adapters_in",
    "baseline_file",
    "check_language",
    "clean_environment",
    "close_all",
    "find_adapter",
    "find_sdks",
    "given_name",
    "input_files",
    "install_from",
    "languages",
    "new_adapter",
    "prepare",
    "read_adapter",
    "starvation",
    "unique_names",
    "watched_files",
]
