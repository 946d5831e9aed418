import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from waitproof.adapter.command import AdapterCommand
from waitproof.adapter.folder import (
    AdapterSpec,
    Need,
    adapters_in,
    find_adapter,
    given_name,
    parse_adapter,
    read_adapter,
    unique_names,
)
from waitproof.adapter.preparation import prepare
from waitproof.adapter.process import AdapterProcess
from waitproof.errors import InputError

WHOLE = """\
format: 1
name: getstream-python
summary: Stream's Python SDK.
needs:
  - {program: python3, get: install Python 3.10 or later}
inputs: [requirements.txt]
watch: [../../sdk]
prepare:
  - [python3, -m, venv, .venv]
  - [.venv/bin/python, -m, pip, install, -r, requirements.txt]
command: [.venv/bin/python, adapter.py]
env: {PYTHONPATH: "../kits/python:../.."}
baseline: known.yaml
"""


def messages(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_adapter(text, "adapters/x/adapter.yaml")
    return [str(mistake) for mistake in caught.value.mistakes]


def facts(text: str) -> list[str]:
    return [message.splitlines()[0].removeprefix("adapters/x/adapter.yaml:") for message in messages(text)]


def refusal(argument: str) -> str:
    with pytest.raises(InputError) as caught:
        find_adapter(argument)
    return str(caught.value)


def spec_of(folder: Path, *scripts: str, inputs: Sequence[str] = ()) -> AdapterSpec:
    """An adapter that is prepared by Python scripts."""
    steps = tuple(("{python}", "-S", "-c", script) for script in scripts)
    return AdapterSpec("x", folder, ("{python}",), inputs=tuple(inputs), prepare=steps)


def append(text: str) -> str:
    return f"open('result', 'a').write({text!r})"


def prepared(spec: AdapterSpec, *, again: bool = False, limit_s: float = 30.0) -> list[str]:
    lines: list[str] = []
    prepare(spec, lines.append, again=again, limit_s=limit_s)
    return lines


def failure(spec: AdapterSpec, limit_s: float = 30.0) -> str:
    with pytest.raises(InputError) as caught:
        prepare(spec, lambda _: None, limit_s=limit_s)
    return str(caught.value)


def test_a_whole_file_becomes_a_spec() -> None:
    assert parse_adapter(WHOLE, "adapters/x/adapter.yaml") == AdapterSpec(
        name="getstream-python",
        folder=Path("adapters/x"),
        command=(".venv/bin/python", "adapter.py"),
        summary="Stream's Python SDK.",
        needs=(Need("python3", "install Python 3.10 or later"),),
        inputs=("requirements.txt",),
        watch=("../../sdk",),
        prepare=(
            ("python3", "-m", "venv", ".venv"),
            (".venv/bin/python", "-m", "pip", "install", "-r", "requirements.txt"),
        ),
        env={"PYTHONPATH": "../kits/python:../.."},
        baseline=Path("adapters/x/known.yaml"),
    )


def test_every_mistake_of_a_file_is_reported_at_once() -> None:
    assert messages("format: 2\nname: 7\ncomand: [x]\nneeds: [{program: java, got: it}]\nenv: {A: 1}\n") == [
        "adapters/x/adapter.yaml:1:1: 'format' cannot be 2\n"
        "  found:    format: 2\n"
        "  expected: 1\n"
        "  fix:      use the waitproof that this file was written for",
        "adapters/x/adapter.yaml:2:1: 'name' cannot be 7\n"
        "  found:    name: 7\n"
        "  expected: text\n"
        "  fix:      put it between quotes",
        "adapters/x/adapter.yaml:3:1: an adapter has no key 'comand'\n"
        "  found:    comand: [x]\n"
        "  expected: format, name, summary, needs, inputs, watch, prepare, command, suite, env or baseline\n"
        "  fix:      did you mean 'command'?",
        "adapters/x/adapter.yaml:4:25: a need has no key 'got'\n"
        "  found:    needs: [{program: java, got: it}]\n"
        "  expected: program or get\n"
        "  fix:      did you mean 'get'?",
        "adapters/x/adapter.yaml:5:7: 'A' cannot be 1\n"
        "  found:    env: {A: 1}\n"
        "  expected: text\n"
        "  fix:      put it between quotes",
    ]


def test_a_command_written_as_one_text_is_shown_as_a_list() -> None:
    assert messages("format: 1\nname: x\ncommand: php 'my adapter.php'\n") == [
        "adapters/x/adapter.yaml:3:1: \"php 'my adapter.php'\" is not a list of a program and its arguments\n"
        "  found:    command: php 'my adapter.php'\n"
        "  fix:      write it as a list: [php, my adapter.php]"
    ]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "1:1: the file is empty"),
        ("- 1\n", "1:1: the adapter cannot be [1]"),
        ("name: x\ncommand: [a]\n", "1:1: an adapter needs the key 'format'"),
        ("format: true\nname: x\ncommand: [a]\n", "1:1: 'format' cannot be true"),
        ("format: 1\ncommand: [a]\n", "1:1: an adapter needs the key 'name'"),
        ("format: 1\nname: ' '\ncommand: [a]\n", "2:1: 'name' cannot be \" \""),
        ("format: 1\nname: x\ncommand: []\n", "3:1: 'command' cannot be []"),
        (
            "format: 1\nname: x\ncommand: 'a \"'\n",
            '3:1: "a \\"" is not a list of a program and its arguments',
        ),
        ("format: 1\nname: x\ncommand: ['']\n", "3:1: a command without a program"),
        ("format: 1\nname: x\ncommand: {a: b}\n", '3:1: \'command\' cannot be {"a": "b"}'),
        ("format: 1\nname: x\ncommand: [a, 1]\n", "3:14: an item of 'command' cannot be 1"),
        (
            "format: 1\nname: x\ncommand: [a]\nprepare: [a b]\n",
            '4:11: "a b" is not a list of a program and its arguments',
        ),
        ("format: 1\nname: x\ncommand: [a]\nprepare: [[]]\n", "4:11: an item of 'prepare' cannot be []"),
        ("format: 1\nname: x\ncommand: [a]\nneeds: java\n", "4:1: 'needs' cannot be \"java\""),
        ("format: 1\nname: x\ncommand: [a]\nneeds: [java]\n", '4:9: the need cannot be "java"'),
        (
            "format: 1\nname: x\ncommand: [a]\ninputs: [2024-01-01]\n",
            "4:10: '2024-01-01' is ambiguous: some YAML readers take it for a date",
        ),
        ("format: 1\nname: x\ncommand: [a]\nenv: [A]\n", "4:1: 'env' cannot be [\"A\"]"),
        ("format: 1\nname: x\ncommand: [a]\nenv: {A: no}\n", "4:10: 'no' is ambiguous: some YAML readers"),
        ("format: 1\nname: x\ncommand: [a]\nbaseline: ''\n", "4:1: 'baseline' cannot be \"\""),
        ("[" * 2000, "1:66: nested more than 64 levels deep"),
        (
            "format: 1\nname: [x\n",
            "3:1: this is not YAML: did not find expected ',' or ']'",
        ),
    ],
)
def test_a_wrong_file_is_one_mistake_at_its_place(text: str, fact: str) -> None:
    assert len(facts(text)) == 1
    assert facts(text)[0].startswith(fact)


def test_the_command_is_launched_from_the_folder(tmp_path: Path) -> None:
    spec = AdapterSpec("x", tmp_path, (".venv/bin/python", "a/b", "{python}"), env={"PYTHONPATH": "../kits"})

    assert spec.launch() == AdapterCommand(
        "x", (str(tmp_path / ".venv/bin/python"), "a/b", sys.executable), tmp_path, {"PYTHONPATH": "../kits"}
    )
    assert AdapterSpec("x", tmp_path, ("php", "a.php")).launch().argv == ("php", "a.php")
    assert AdapterSpec("x", tmp_path, ("/bin/sh",)).launch().argv == ("/bin/sh",)


def test_a_relative_folder_is_launched_by_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    command = AdapterSpec("x", Path("adapters/x"), ("./run",)).launch()

    assert (command.argv, command.cwd) == ((str(tmp_path / "adapters/x/run"),), tmp_path / "adapters/x")


def test_a_folder_is_found_with_its_deviations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/adapter.yaml").write_text("format: 1\nname: x\ncommand: [php, a.php]\n")
    monkeypatch.chdir(tmp_path)

    without = find_adapter("x")
    (tmp_path / "x/deviations.yaml").touch()
    with_them = find_adapter("x/")

    assert without == AdapterSpec("x", Path("x"), ("php", "a.php"), argument="x")
    assert with_them.baseline == Path("x/deviations.yaml")


def test_a_baseline_that_is_named_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "adapter.yaml").write_text("format: 1\nname: x\ncommand: [php]\nbaseline: known.yaml\n")

    with pytest.raises(InputError) as caught:
        read_adapter(tmp_path)

    assert str(caught.value) == (
        f"{tmp_path}/adapter.yaml: its baseline {tmp_path}/known.yaml is missing\n"
        "  fix:      write it, or leave the key out: deviations.yaml is found by itself"
    )


def test_a_folder_without_adapter_yaml_says_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)

    assert refusal("x") == (
        "x: the folder has no adapter.yaml\n"
        "  fix:      write x/adapter.yaml with at least format, name and command, or pass a command instead"
    )


def test_a_file_that_is_no_text_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "adapter.yaml").write_bytes(b"\xff")

    assert refusal(str(tmp_path)) == (
        f"{tmp_path}/adapter.yaml:1:1: byte 0xff is not UTF-8\n  fix:      save the file as UTF-8"
    )


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "adapter.yaml").write_bytes(b"#" * 600_000)

    assert refusal(str(tmp_path)) == (
        f"{tmp_path}/adapter.yaml: the file has 600,000 bytes\n"
        "  expected: 524,288 or fewer\n"
        "  fix:      a large payload is written ${text:2MiB}"
    )


def test_a_command_is_an_adapter_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    typed = "/bin/sh -c 'exit 3'"

    assert find_adapter(typed) == AdapterSpec("sh", tmp_path, ("/bin/sh", "-c", "exit 3"), argument=typed)


def test_what_is_neither_folder_nor_program_gets_the_nearest_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "adapters/php").mkdir(parents=True)
    (tmp_path / "adapters/php/adapter.yaml").touch()
    monkeypatch.chdir(tmp_path)

    assert refusal("adapters/phq") == (
        "adapters/phq: there is no such folder or program\n  fix:      did you mean 'adapters/php'?"
    )
    assert refusal("adapters/php/adapter.yaml") == (
        "adapters/php/adapter.yaml: this is a file in an adapter's folder\n"
        "  fix:      name its folder: adapters/php"
    )
    assert refusal("nosuch") == (
        "nosuch: there is no such folder or program\n  fix:      the adapters here: adapters/php"
    )
    (tmp_path / "adapters/ruby").mkdir()
    (tmp_path / "adapters/ruby/adapter.yaml").touch()
    assert refusal("rubi").endswith("\n  fix:      did you mean 'adapters/ruby'?")
    assert refusal("no-such-program -v") == (
        "no-such-program: there is no such program\n"
        "  found:    no-such-program -v\n"
        "  fix:      install it, or put it on PATH"
    )
    assert refusal("php 'a") == (
        "adapter: the command cannot be read: No closing quotation\n  found:    php 'a"
    )
    assert refusal("") == (
        "adapter: it names neither a folder nor a program\n"
        "  fix:      --adapter FOLDER, or --adapter 'PROGRAM ARGUMENT...'"
    )


def test_where_there_is_no_adapter_the_command_that_creates_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert refusal("nosuch") == (
        "nosuch: there is no such folder or program\n  fix:      'waitproof new adapter' creates one"
    )


def test_a_file_that_cannot_be_run_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my adapter.py").touch()
    (tmp_path / "own").touch()

    assert refusal("my adapter.py") == (
        "my adapter.py: the file is not executable\n  fix:      chmod +x './my adapter.py'; "
        """or name what runs it: --adapter 'python3 '"'"'my adapter.py'"'"''"""
    )
    assert refusal("./own --fast") == (
        "own: the file is not executable\n"
        "  fix:      chmod +x ./own; or name what runs it: --adapter 'PROGRAM own'"
    )


def test_a_program_in_the_working_directory_needs_no_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my adapter").touch(0o755)

    assert find_adapter("my adapter").command == ("./my adapter",)
    assert find_adapter("'my adapter' --fast").command == ("./my adapter", "--fast")


def test_each_missing_program_is_one_line(tmp_path: Path) -> None:
    needs = (
        Need("no-such-java", "install a JDK"),
        Need("sh", "buy a computer"),
        Need("no-such-mvn", "get Maven"),
    )

    message = failure(AdapterSpec("x", tmp_path, ("sh",), needs=needs))

    assert message == (
        f"{tmp_path}: 'no-such-java' is not on PATH; to get it: install a JDK\n\n"
        f"{tmp_path}: 'no-such-mvn' is not on PATH; to get it: get Maven"
    )


def test_an_adapter_with_nothing_to_prepare_leaves_no_trace(tmp_path: Path) -> None:
    assert prepared(AdapterSpec("x", tmp_path, ("sh",))) == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_prepared_once(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, append("a"), "print('said')")

    first = prepared(spec)
    second = prepared(spec)

    assert [line.partition(": ")[0] for line in first] == [str(tmp_path)] * 2
    assert first[1].endswith(""": '{python}' -S -c 'print('"'"'said'"'"')'""")
    assert second == [f"{tmp_path}: prepared earlier; --prepare repeats it"]
    assert (tmp_path / "result").read_text() == "a"
    assert (tmp_path / ".prepare.log").read_text().splitlines()[-1] == "said"


def test_a_folder_is_prepared_again_when_what_it_depends_on_has_changed(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("1")
    prepared(spec_of(tmp_path, append("a"), inputs=["requirements.txt"]))

    (tmp_path / "requirements.txt").write_text("2")
    prepared(spec_of(tmp_path, append("b"), inputs=["requirements.txt"]))
    prepared(spec_of(tmp_path, append("c"), inputs=["requirements.txt"]))
    prepared(spec_of(tmp_path, append("c"), inputs=["requirements.txt"]))

    assert (tmp_path / "result").read_text() == "abc"


def test_a_folder_whose_program_is_gone_is_prepared_again(tmp_path: Path) -> None:
    spec = AdapterSpec("x", tmp_path, ("./run",), prepare=(("{python}", "-S", "-c", "open('run', 'w')"),))
    prepared(spec)
    (tmp_path / "run").unlink()

    prepared(spec)

    assert (tmp_path / "run").exists()


def test_a_program_that_preparing_made_is_used_by_the_next_step(tmp_path: Path) -> None:
    make = "import os, sys; os.symlink(sys.executable, 'made')"
    spec = AdapterSpec(
        "x",
        tmp_path,
        ("./made",),
        prepare=(("{python}", "-c", make), ("./made", "-S", "-c", append("made"))),
    )

    prepared(spec)

    assert (tmp_path / "result").read_text() == "made"


def test_preparing_keeps_the_proxies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.invalid")

    prepared(spec_of(tmp_path, "import os; open('result', 'w').write(os.environ['https_proxy'])"))

    assert (tmp_path / "result").read_text() == "http://proxy.invalid"


def test_preparing_gets_nothing_that_controls_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "ACTIONS_RUNTIME_TOKEN"):
        monkeypatch.setenv(name, "x")

    prepared(spec_of(tmp_path, "import os; open('result', 'w').write(' '.join(os.environ))"))

    names = (tmp_path / "result").read_text().split()
    assert not {"GITHUB_OUTPUT", "GITHUB_ENV", "ACTIONS_RUNTIME_TOKEN"} & set(names)


def test_a_failed_command_shows_the_end_of_its_output_and_is_run_again(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "print(*range(40), 'no\\tsuch package', sep='\\n'); raise SystemExit(7)")

    message = failure(spec)

    command = """'{python}' -S -c 'print(*range(40), '"'"'no\\tsuch package'"'"', sep='"'"'\\n'"'"'); """
    assert message == (
        f"{tmp_path}: `{command}raise SystemExit(7)'` failed with exit code 7\n"
        "  found:    26\n"
        + "".join(f"            {number}\n" for number in range(27, 40))
        + "            no such package\n"
        f"  fix:      run it by hand in {tmp_path}; its whole output is in {tmp_path}/.prepare.log"
    )
    assert not (tmp_path / ".prepared").exists()
    assert failure(spec) == message


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    message = failure(spec_of(tmp_path, "import signal; signal.pause()"), limit_s=0.2)

    assert message.splitlines()[0].endswith("` took more than 0.2 s and was ended")


def test_a_command_that_cannot_be_started_is_an_input_error(tmp_path: Path) -> None:
    message = failure(AdapterSpec("x", tmp_path, ("sh",), prepare=(("./no-such",),)))

    assert message.splitlines()[0] == (
        f"{tmp_path}: `./no-such` cannot be started: "
        f"[Errno 2] No such file or directory: '{tmp_path}/no-such'"
    )


def test_a_missing_input_is_an_input_error(tmp_path: Path) -> None:
    assert failure(spec_of(tmp_path, append("a"), inputs=["pom.xml"])) == (
        f"{tmp_path}/adapter.yaml: its input 'pom.xml' cannot be read: No such file or directory\n"
        "  fix:      correct 'inputs'"
    )


@pytest.mark.parametrize("name", ["/dev/zero", "pipe"])
def test_an_input_that_is_no_file_is_refused_and_never_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    message = failure(spec_of(tmp_path, append("a"), inputs=[name]))

    assert message.splitlines()[0].endswith(f"its input '{name}' cannot be read: it is not a file")


def test_an_input_whose_name_no_file_can_have_is_an_input_error(tmp_path: Path) -> None:
    assert failure(spec_of(tmp_path, append("a"), inputs=["a\0b"])) == (
        f"{tmp_path}/adapter.yaml: its input 'a\0b' cannot be read: embedded null byte\n"
        "  fix:      correct 'inputs'"
    )


def test_two_runs_do_not_prepare_one_folder_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    go = os.open(tmp_path / "go", os.O_RDWR)
    spec = spec_of(tmp_path, f"open('go').readline(); {append('a')}")
    begun, waits = threading.Event(), threading.Event()
    second_lines: list[str] = []

    def note(line: str) -> None:
        second_lines.append(line)
        waits.set()

    first = threading.Thread(target=prepare, args=(spec, lambda _: begun.set()), kwargs={"limit_s": 20})
    second = threading.Thread(target=prepare, args=(spec, note), kwargs={"limit_s": 20})
    first.start()
    assert begun.wait(10), "the first run did not begin"
    second.start()
    assert waits.wait(10), "the second run did not find the folder locked"
    os.write(go, b"go\n")
    first.join(10)
    second.join(10)
    os.close(go)

    assert not first.is_alive()
    assert not second.is_alive()
    assert second_lines == [f"{tmp_path}: waiting for another run that prepares it"]
    assert (tmp_path / "result").read_text() == "a"


def test_a_folder_can_be_read_prepared_and_greeted(tmp_path: Path) -> None:
    hostile = Path(__file__).parents[1] / "hostile"
    (tmp_path / "adapter.yaml").write_text(
        "format: 1\nname: x\nprepare: [['{python}', -c, 'open(\"made\", \"w\")']]\n"
        f"command: ['{{python}}', -S, '{hostile}/well_behaved.py']\n"
    )

    spec = find_adapter(str(tmp_path))
    prepared(spec)
    with AdapterProcess(spec.launch()) as process:
        hello = process.hello(base_url="http://127.0.0.1:1", api_key="key", api_secret="secret")

    assert hello.sdk_name == "hostile"
    assert (tmp_path / "made").exists()


def test_a_folder_that_holds_adapters_is_told_from_one_that_lacks_its_file(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter.yaml").write_text("")

    assert adapters_in(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(InputError) as caught:
        read_adapter(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: the folder has no adapter.yaml\n"
        f"  fix:      name one of those in it: {tmp_path / 'a'}, {tmp_path / 'b'}"
    )


def test_without_inputs_a_folder_is_prepared_again_when_anything_in_it_has_changed(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "main.go").write_text("1")
    spec = spec_of(tmp_path, "open('made', 'w')")
    prepared(spec)

    (tmp_path / "main.go").write_text("2")
    changed = prepared(spec)[0]
    (tmp_path / "lib" / "more.go").write_text("")
    new = prepared(spec)[0]
    (tmp_path / "lib" / "more.go").unlink()
    (tmp_path / "main.go").unlink()
    gone = prepared(spec)[0]
    for name in ("node_modules/x.js", ".build/adapter", "target/x.class", "__pycache__/x.pyc", "adapter.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "deviations.yaml").touch()
    same = prepared(spec)

    assert changed == f"{tmp_path}: prepared again: main.go has changed"
    assert new == f"{tmp_path}: prepared again: lib/more.go is new"
    assert gone == f"{tmp_path}: prepared again: main.go is gone, and 1 other change"
    assert same == [f"{tmp_path}: prepared earlier; --prepare repeats it"]


def test_what_no_one_can_read_in_a_folder_does_not_keep_it_from_being_prepared(tmp_path: Path) -> None:
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    spec = spec_of(tmp_path, append("a"))

    prepared(spec)
    prepared(spec)

    assert (tmp_path / "result").read_text() == "a"


def test_a_folder_can_be_prepared_again_although_nothing_has_changed(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, append("a"))
    prepared(spec)

    lines = prepared(spec, again=True)

    assert lines[0] == f"{tmp_path}: prepared again: --prepare"
    assert (tmp_path / "result").read_text() == "aa"


def test_a_stamp_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, append("a"))
    for stamp in (b"\xff", b"[1]", b"[" * 100_000, b'{"place": 1}'):
        (tmp_path / ".prepared").write_bytes(stamp)
        prepared(spec)

    assert (tmp_path / "result").read_text() == "aaaa"


def test_an_input_can_be_a_glob(tmp_path: Path) -> None:
    adapter, sdk = tmp_path / "adapter", tmp_path / "sdk"
    (sdk / "src" / "deep").mkdir(parents=True)
    (sdk / "node_modules").mkdir()
    adapter.mkdir()
    (sdk / "src" / "deep" / "wait.ts").write_text("1")
    (sdk / "node_modules" / "x.ts").write_text("1")
    spec = spec_of(adapter, append("a"), inputs=["../sdk/**/*.ts"])

    prepared(spec)
    (sdk / "README.md").write_text("new")
    (sdk / "node_modules" / "x.ts").write_text("2")
    prepared(spec)
    (sdk / "src" / "deep" / "wait.ts").write_text("2")
    lines = prepared(spec)

    assert (adapter / "result").read_text() == "aa"
    assert lines[0] == f"{adapter}: prepared again: ../sdk/src/deep/wait.ts has changed"


def test_an_input_that_matches_nothing_or_is_a_device_is_an_input_error(tmp_path: Path) -> None:
    assert failure(spec_of(tmp_path, append("a"), inputs=["src/*.ts"])) == (
        f"{tmp_path}/adapter.yaml: its input 'src/*.ts' cannot be read: no file matches\n"
        "  fix:      correct 'inputs'"
    )
    assert failure(spec_of(tmp_path, append("a"), inputs=["/dev/zero"])) == (
        f"{tmp_path}/adapter.yaml: its input '/dev/zero' cannot be read: it is not a file\n"
        "  fix:      correct 'inputs'"
    )


def test_a_folder_is_prepared_again_when_a_file_in_a_folder_of_inputs_has_changed(tmp_path: Path) -> None:
    adapter, sdk = tmp_path / "adapter", tmp_path / "sdk"
    (sdk / "src").mkdir(parents=True)
    adapter.mkdir()
    (sdk / "src" / "wait.py").write_text("every = 1")
    spec = spec_of(adapter, append("a"), inputs=["../sdk"])

    prepared(spec)
    (sdk / "__pycache__").mkdir()
    (sdk / "__pycache__" / "wait.pyc").write_text("compiled")
    prepared(spec)
    (sdk / "src" / "wait.py").write_text("every = 2")
    prepared(spec)

    assert (adapter / "result").read_text() == "aa"


# --- names ----------------------------------------------------------------------------------------------


def test_adapters_of_one_name_get_names_that_no_other_adapter_has() -> None:
    given = ["sdk", "sdk", "sdk-2", "sdk", "sdk#2", "s\x01", "s\\x01"]

    named = unique_names([AdapterSpec(name, Path(str(n)), ("x",)) for n, name in enumerate(given)])

    assert [spec.name for spec in named] == ["sdk", "sdk#3", "sdk-2", "sdk#4", "sdk#2", "s\x01", "s\\x01#2"]
    assert [str(spec.folder) for spec in named] == ["0", "1", "2", "3", "4", "5", "6"]
    assert [given_name(spec.name) for spec in named[:3]] == ["sdk", "sdk", "sdk-2"]


def test_no_file_can_give_the_name_of_a_second_adapter() -> None:
    assert facts("format: 1\nname: sdk#2\ncommand: [a]\n") == [
        "2:1: 'sdk#2' ends as only the second adapter of one name does"
    ]
