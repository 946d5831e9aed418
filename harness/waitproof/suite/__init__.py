"""What a vendor promises, and the cases that show it.

A suite is a folder with one contract (`contract`) and its scenarios (`scenario`). `yaml` reads a file,
`document` collects its mistakes, `model` validates it, and `crosscheck` compares it with its contract and
with the judge's checks, which are registered in `checks`. `template` fills in placeholders, `task` says what
the server answers to the next poll, and `sending` how that travels. Only `files` and `catalog` touch the file
system: a suite that is read once, and scenarios that are read again when their files change. `selection`
finds scenarios by pattern.
"""

from waitproof.suite.catalog import SCENARIO_HEADER, SEPARATOR, Catalog, Change, Entry, one_line
from waitproof.suite.checks import register_check
from waitproof.suite.contract import (
    Answer,
    Contract,
    ErrorAnswer,
    Level,
    Requirement,
    TaskIdFormat,
)
from waitproof.suite.document import Document, read, shown
from waitproof.suite.expect import PollCount
from waitproof.suite.files import (
    CONTRACT,
    DEFAULT_SUITE,
    Suite,
    bundled_names,
    bundled_suite,
    contract_file,
    id_of,
    is_suite,
    lint_file,
    lint_suite,
    load_contract,
    load_scenario,
    load_source,
    load_suite,
    name_from,
    read_file,
    read_suite,
    scenario_paths,
    suite_above,
    suite_folder,
)
from waitproof.suite.intervals import Intervals
from waitproof.suite.model import MAX_DURATION_S, NO_TIMEOUT_S, Format, Model, build, invalid
from waitproof.suite.operation import BeginRequest, Operation, Operations
from waitproof.suite.scenario import (
    Call,
    Scenario,
    WaitOptions,
    scenario_schema,
    watched_after_s,
)
from waitproof.suite.schema import ROOT, contract_keys, contract_schema
from waitproof.suite.selection import narrowed, select
from waitproof.suite.sending import Response
from waitproof.suite.shape import Conditions, Returns, StatusMeaning
from waitproof.suite.sources import ScenarioFile, Source, loose_files
from waitproof.suite.starting import new_suite
from waitproof.suite.step import REDIRECTS, Drop, Step
from waitproof.suite.task import TaskAnswer, TaskState, answer, render_body, respond
from waitproof.suite.template import at_path, check, dotted, fill, path_of, placeholders
from waitproof.suite.yaml import Json, Node, Path, unsendable

__all__ = [
    "CONTRACT",
    "DEFAULT_SUITE",
    "MAX_DURATION_S",
    "NO_TIMEOUT_S",
    "REDIRECTS",
    "ROOT",
    "SCENARIO_HEADER",
    "SEPARATOR",
    "Answer",
    "BeginRequest",
    "Call",
    "Catalog",
    "Change",
    "Conditions",
    "Contract",
    "Document",
    "Drop",
    "Entry",
    "ErrorAnswer",
    "Format",
    "Intervals",
    "Json",
    "Level",
    "Model",
    "Node",
    "Operation",
    "Operations",
    "Path",
    "PollCount",
    "Requirement",
    "Response",
    "Returns",
    "Scenario",
    "ScenarioFile",
    "Source",
    "StatusMeaning",
    "Step",
    "Suite",
    "TaskAnswer",
    "TaskIdFormat",
    "TaskState",
    "WaitOptions",
    "answer",
    "at_path",
    "build",
    "bundled_names",
    "bundled_suite",
    "check",
    "contract_file",
    "contract_keys",
    "contract_schema",
    "dotted",
    "fill",
    "id_of",
    "invalid",
    "is_suite",
    "lint_file",
    "lint_suite",
    "load_contract",
    "load_scenario",
    "load_source",
    "load_suite",
    "loose_files",
    "name_from",
    "narrowed",
    "new_suite",
    "one_line",
    "path_of",
    "placeholders",
    "read",
    "read_file",
    "read_suite",
    "register_check",
    "render_body",
    "respond",
    "scenario_paths",
    "scenario_schema",
    "select",
    "shown",
    "suite_above",
    "suite_folder",
    "unsendable",
    "watched_after_s",
]
