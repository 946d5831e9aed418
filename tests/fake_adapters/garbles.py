"""The mini adapter, whose answers to waits something spoils: `python garbles.py MARK HOW [MODE]`.

`chatty` spoils nothing: an SDK may print lines, even some with JSON in them.
"""

import os
import sys
import threading
from collections.abc import Callable

import mini_adapter
from waitproof_kit import run

SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "dot": lambda line: b"." + line,  # a library's progress, without a line end
    "nul": lambda line: b"\0\0" + line,
    "utf16": lambda line: line.decode().encode("utf-16-be"),
    "lost": lambda line: b"heap averted\n",  # a print in the place of the answer
    "chatty": lambda line: b'GET {"id": "9999", "outcome": 1}\n' + line,
}


def copy(source: int, target: int, how: str) -> None:
    with open(source, "rb") as lines, open(target, "wb", buffering=0) as stdout:
        for line in lines:
            stdout.write(SPOILED[how](line) if b'"elapsed"' in line else line)


if __name__ == "__main__":
    reading, writing = os.pipe()
    threading.Thread(target=copy, args=(reading, os.dup(1), sys.argv[2]), daemon=True).start()
    os.dup2(writing, 1)
    run(mini_adapter.MODES[(*sys.argv[3:], "MiniAdapter")[0]]())
