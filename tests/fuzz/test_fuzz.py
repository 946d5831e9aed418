"""Any input, however wrong, is understood or refused with a message: no other error, no hang, bounded memory.

`make test` tries the same few inputs each time, `make fuzz` tries new ones for WAITPROOF_FUZZ_S seconds per
reader. They are good inputs and what once failed (`corpus/<reader>/`), with pieces changed. What fails is
printed by hypothesis; put it into the corpus with the fix.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
import waitproof.judge  # noqa: F401 - it brings the checks that contracts name
from fakes import MINI, ROOT
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from waitproof import report
from waitproof.adapter.folder import parse_adapter
from waitproof.errors import InputError, Mistake
from waitproof.mock.http1 import Heads, Reader, Refused
from waitproof.protocol import BrokenAdapterError, read_answer, read_hello
from waitproof.report.badge import badge
from waitproof.report.html import html_page
from waitproof.report.junit import junit_xml
from waitproof.report.markdown import markdown_summary
from waitproof.run import parse_baseline
from waitproof.suite import load_contract
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.document import Document

FUZZ_S = float(os.environ.get("WAITPROOF_FUZZ_S", "0"))
EXAMPLES = 30  # a reader, in `make test`
LIMIT_S = 20.0  # for one input, on a busy machine: most take a millisecond
MAX_BODY_BYTES = 1000
CORPUS = Path(__file__).parent / "corpus"
TOKENS = [
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\n", b"\r\n", b"\t", b"  ", b"- ", b"#", b"'", b"|", b">"),
    *(b"%", b"&a", b"*a", b"<<", b"!!int", b"!!python/object:os", b"---\n", b"...\n", b"? ", b"\\ud800"),
    *(b"null", b"true", b"~", b"-1", b"0", b"1e400", b"NaN", b"Infinity", b"9" * 5000, b"0x1f", b"1_0"),
    *(b"${text:2MiB}", b"${n}", b"${", b"10m", b"1h", b"forever", b"\xff\xfe", b"\xef\xbb\xbf", b"\0"),
    *(b"[" * 300, b'{"a":' * 300, b"Content-Length: 9", b"Transfer-Encoding: chunked", b"fffffffff\r\n"),
    *(b"\xed\xa0\x80", b"\x85", b"\xef\xbf\xbd", b"HTTP/1.1", b"-0.0", b"1e-320"),
]
HELLO = (
    b'{"op":"hello","protocol":1,"sdk":{"name":"a","version":"1","language":"go","runtime":"go1"},'
    b'"helper":"Wait","result_path":"data","capabilities":{"max_concurrency":0,"operations":["a"],'
    b'"timeout_resolution":0.001,"options":["timeout"],"returns":"task"}}'
)
ANSWERS = (
    b'{"id":"17","outcome":"returned","result":{"a":[1,2.5,null]},"elapsed":3}',
    b'{"id":"17","outcome":"raised","exception":{"kind":"task","type":"T","message":"m","fields":{"a":1},'
    b'"native_stack_frames":3,"cause":"","copies":{"pickle":true}}}',
)
REQUESTS = (
    b"GET /v1/jobs/7/state?key=k HTTP/1.1\r\nHost: here\r\nX-One: 1\r\nx-one: 2\r\n\r\n",
    b"POST /v1/parcels HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\nbody",
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nbo\r\n0\r\nT: t\r\n\r\n",
)
KNOWN = b"""format: 1
deviations:
  - {deviation: exception-version, reason: It is dropped., link: "#7", expires: "2027-06-30"}
  - {deviation: "fields/every-field:exception-task-id", reason: It is empty., sometimes: true}
"""
MINI_CONTRACT = load_contract(MINI / "contract.yaml")
Read = Callable[[bytes, Path], object]


def read_line(data: bytes, _folder: Path) -> None:
    for read in (read_hello, read_answer):
        try:
            read(data)
        except BrokenAdapterError as error:
            assert_helps(error.mistake)


def read_requests(data: bytes, _folder: Path) -> None:
    wire = Reader(Heads(), MAX_BODY_BYTES)
    for start in range(0, len(data), 7):
        wire.feed(data[start : start + 7])
        try:
            while wire.next(1) is not None:
                pass
        except Refused as refused:
            complain(
                refused.http in range(400, 600) and str(refused) != "", f"a refusal says nothing: {refused!r}"
            )
            return
        assert wire.held <= len(data)


def read_scenario(data: bytes, _folder: Path) -> None:
    parse_scenario(Document(data.decode("utf-8", "replace"), "s.yaml"), "s", MINI_CONTRACT)


def read_contract(data: bytes, folder: Path) -> None:
    file = folder / "contract.yaml"
    file.write_bytes(data)
    load_contract(file)


def read_adapter_file(data: bytes, _folder: Path) -> None:
    parse_adapter(data.decode("utf-8", "replace"), "adapter.yaml")


def read_report(data: bytes, folder: Path) -> None:
    file = folder / "report.json"
    file.write_bytes(data)
    merged = report.merge_reports([report.load(file)], [str(file)])
    for view in (html_page, markdown_summary, junit_xml, badge):
        assert view(merged)


def read_baseline(data: bytes, _folder: Path) -> None:
    parse_baseline(data.decode("utf-8", "replace"), "deviations.yaml", date(2027, 6, 30))


def files(*patterns: str) -> list[bytes]:
    return [path.read_bytes() for pattern in patterns for path in sorted(ROOT.glob(pattern))]


READERS: dict[str, tuple[Read, list[bytes]]] = {
    "protocol": (read_line, [HELLO, *ANSWERS]),
    "http": (read_requests, [b"".join(REQUESTS), *REQUESTS]),
    "scenario": (read_scenario, files("tests/suites/mini/*/*.yaml")),
    "contract": (read_contract, files("tests/suites/mini/contract.yaml")),
    "adapter": (read_adapter_file, files("adapters/*/adapter.yaml")),
    "report": (read_report, files("tests/report/schema-1.json")),
    "baseline": (read_baseline, [KNOWN]),
}


def complain(holds: object, fact: str) -> None:
    if not holds:
        pytest.fail(fact)


def assert_helps(mistake: Mistake) -> None:
    first = str(mistake).splitlines()[0]
    assert first.strip()
    first.encode()


def attempt(read: Read, data: bytes, folder: Path) -> None:
    """Let a reader read, which must end soon, and end well or with a message."""
    began_s = time.monotonic()
    try:
        read(data, folder)
    except InputError as error:
        for mistake in error.mistakes:
            complain(mistake.place != "", f"no place: {mistake}")
            assert_helps(mistake)
    assert time.monotonic() - began_s < LIMIT_S


@st.composite
def spoiled(draw: st.DrawFn, good: list[bytes]) -> bytes:
    """Return a good input with pieces removed, repeated, moved or replaced."""
    data = draw(st.sampled_from(good))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 0, 1, 2, 5, 20, 100])))
        new = draw(
            st.sampled_from(TOKENS)
            | st.binary(max_size=4)
            | st.just(data[start:end] * 3)
            | st.sampled_from(good).map(lambda other: other[len(other) // 3 : len(other) // 2])
        )
        data = data[:start] + new + data[end:]
    return data


def corpus(name: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted((CORPUS / name).iterdir()) if file.name != ".gitkeep"]


def seeds() -> Iterator[int]:
    """Yield numbers: one where there is no time to fill, else new ones until it is filled."""
    yield 0
    until_s = time.monotonic() + FUZZ_S
    while time.monotonic() < until_s:
        yield random.randrange(2**32)


@pytest.mark.parametrize("name", READERS)
def test_any_input_is_understood_or_refused_with_a_message(name: str, tmp_path: Path) -> None:
    read, good = READERS[name]
    tried = 0

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(spoiled(good=[*good, *corpus(name)]) | st.binary(max_size=60))
    def try_some(data: bytes) -> None:
        nonlocal tried
        tried += 1
        attempt(read, data, tmp_path)

    for number in seeds():
        seed(number)(try_some)()
    sys.stdout.write(f"{name}: {tried:,} inputs\n")


@pytest.mark.parametrize("name", READERS)
def test_what_is_good_is_understood_and_what_once_failed_is_refused(name: str, tmp_path: Path) -> None:
    read, good = READERS[name]

    for data in good:
        read(data, tmp_path)
    for data in corpus(name):
        attempt(read, data, tmp_path)
