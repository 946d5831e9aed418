"""Adapters of the Mini SDK: `python mini_adapter.py MODE [MARK]`, a correct one and one for each defect.

MARK is any text: tests look for it in the list of processes.
"""

import os
import signal
import sys
import threading
import time
from typing import Any

import waitproof_kit
from mini_sdk import AsyncClient, Client, GaveUp
from waitproof_kit import Adapter, run, run_async


class MiniAdapter(Adapter):
    """The correct one."""

    capabilities: dict[str, Any] = {"max_concurrency": 0, "operations": ["print_parcel_label"]}
    task_id_path = "job"
    result_path = "output"

    def hello(self) -> dict[str, Any]:
        return {
            "sdk": {"name": "mini", "version": "1.0"},
            "helper": "Client.wait",
            "result_path": self.result_path,
            "capabilities": self.capabilities,
        }

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client:
        return AsyncClient(base_url, api_key)

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        return client.wait(task_id, **options)

    def get_task(self, client: Any, task_id: Any) -> Any:
        state = client.look(task_id)
        return {
            "task_id": state["job"],
            "status": state["phase"],
            "result": state["output"],
            "error": state["trouble"],
        }

    def begin(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        return client.print_label(arguments["parcel"])

    def describe(self, exception: BaseException) -> dict[str, Any] | None:
        return {"kind": "other"} if isinstance(exception, GaveUp) else None


class Async(MiniAdapter):
    """The correct one of the async variant."""

    capabilities = {**MiniAdapter.capabilities, "non_blocking": True}

    async def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        return await client.wait_async(task_id, **options)

    async def get_task(self, client: Any, task_id: Any) -> Any:
        return super().get_task(client, task_id)

    async def begin(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        return super().begin(client, operation, arguments)


class AsyncThatBlocks(Async):
    """Sleeps in the manner of a blocking SDK."""

    async def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        return client.wait(task_id, **options)


class AsyncThatSwallows(Async):
    """Waits on when it is cancelled."""

    async def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        import asyncio  # noqa: PLC0415 - most of these processes have no use for it

        waiting = asyncio.ensure_future(super().wait(client, task_id, **options))
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            return await waiting


class SaysItCancels(MiniAdapter):
    """Has a capability that no thread has."""

    capabilities = {**MiniAdapter.capabilities, "cancel": True}


class OneAtATime(MiniAdapter):
    """Takes one call at a time, and dies when there is a second one."""

    capabilities = {"operations": ["print_parcel_label"]}
    busy = threading.Lock()

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        if not self.busy.acquire(blocking=False):
            die("two waits at once")
        try:
            return client.wait(task_id, **options)
        finally:
            self.busy.release()


class OtherNames(MiniAdapter):
    """Its helper calls the interval otherwise, and the adapter passes it on under the suite's name."""

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        def helper(*, interval: float = 0.1, timeout: float = 0.6) -> Any:
            return client.wait(task_id, poll_interval=interval, timeout=timeout)

        return helper(**options)


class WholeSeconds(MiniAdapter):
    """Its helper takes whole seconds alone."""

    capabilities = {**MiniAdapter.capabilities, "poll_interval_resolution": 1, "timeout_resolution": 1}

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        for value in options.values():
            if type(value) is not int:
                raise TypeError(f"{value!r} is no whole number")
        return client.wait(task_id, **options)


class TooCoarse(MiniAdapter):
    """Its helper takes no interval of less than a quarter of an hour."""

    capabilities = {**MiniAdapter.capabilities, "poll_interval_resolution": 900}


class TypedAndStrict(MiniAdapter):
    """Its helper has no defaults, and its type for a job's output knows pages and nothing else."""

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        if len(options) < 2:
            raise waitproof_kit.Unsupported("the helper has no defaults")
        job = client.wait(task_id, **options)
        return {**job, "output": {"pages": job["output"].get("pages", 0)}}


class HidesWhatFails(MiniAdapter):
    """Its helper gives up after half of its time, and the adapter then says that it cannot be called so.

    Of one scenario, which it knows by its client's name, it says so without calling the helper.
    """

    def hello(self) -> dict[str, Any]:
        bind = waitproof_kit._Session.bind

        def bind_or_refuse(session: Any, message: dict[str, Any]) -> Any:
            if message["op"] == "wait" and message["client"] == "timing/gives-up":
                return self.refuse
            return bind(session, message)

        setattr(waitproof_kit._Session, "bind", bind_or_refuse)  # noqa: B010 - the kit hides the name
        return super().hello()

    def refuse(self) -> Any:
        raise waitproof_kit.Unsupported("no overload")

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        try:
            return client.wait(task_id, **{**options, "timeout": options.get("timeout", 0.6) / 2})
        except GaveUp:
            return self.refuse()


class FillsTheGaps(MiniAdapter):
    """Its SDK looks half as often as it should, and the adapter looks in between, as another client."""

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client:
        self.filler = Client(base_url, api_key)
        self.filler._headers["User-Agent"] = "filler"
        return super().connect(base_url, api_key, api_secret)

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        interval = options.get("poll_interval", 0.1)
        over = threading.Event()

        def fill() -> None:
            over.wait(interval)
            while not over.is_set():
                self.filler.look(task_id)
                over.wait(2 * interval)

        threading.Thread(target=fill).start()
        try:
            return client.wait(task_id, **{**options, "poll_interval": 2 * interval})
        finally:
            over.set()


class LooksOnceMore(MiniAdapter):
    """Asks for the job's state once more when it has ended."""

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        job = client.wait(task_id, **options)
        client.look(task_id)
        return job


class NoHelper(MiniAdapter):
    """The SDK ships none."""

    capabilities = {**MiniAdapter.capabilities, "wait": False}


class HalfTheTime(MiniAdapter):
    """Gives up after half of its time."""

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        return client.wait(task_id, **{**options, "timeout": options.get("timeout", 0.6) / 2})


class NoKey(MiniAdapter):
    """Breaks a SHOULD alone."""

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client:
        return Client(base_url, "")


class LateOnce(MiniAdapter):
    """Gives up far too late, but only where the file that it is given does not exist yet."""

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        try:
            return client.wait(task_id, **options)
        except GaveUp:
            if not options and first_time():
                time.sleep(0.5)
            raise


class NeverGivesUp(MiniAdapter):
    """Its helper polls on after its deadline."""

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        return client.wait(task_id, **{**options, "timeout": 1e6})


class Hangs(MiniAdapter):
    """Its helper never comes back after its first poll, and neither does anybody who waits for it."""

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        client.look(task_id)
        time.sleep(1e6)


class NeverGivesUpOneAtATime(NeverGivesUp):
    """The same, in an adapter that takes one call at a time and answers no ping meanwhile."""

    capabilities = {"operations": ["print_parcel_label"]}
    turn = threading.Lock()

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        with self.turn:
            return super().wait(client, task_id, **options)

    def get_task(self, client: Any, task_id: Any) -> Any:
        with self.turn:
            return super().get_task(client, task_id)


class MuteAtItsDeadline(MiniAdapter):
    """Its SDK polls for the last time just after its deadline, and the adapter answers nothing more."""

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        try:
            return client.wait(task_id, **options)
        except GaveUp:
            client.look(task_id)
            setattr(waitproof_kit._Session, "send", lambda *_: None)  # noqa: B010 - no ping, either


class DiesGivingUp(MiniAdapter):
    """The process dies where its helper should give up; every other wait is as it should be."""

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        try:
            return client.wait(task_id, **options)
        except GaveUp:
            die("the helper brought the process down")


class DiesAtEveryWait(MiniAdapter):
    """No wait ever comes back."""

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        die("\x1b[31mno wait ever comes back\x1b[0m")


class CrashesOnce(MiniAdapter):
    """The process is killed by SIGSEGV in its third wait, where the file that it is given does not exist."""

    lock = threading.Lock()
    waits = 0

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        with self.lock:
            self.waits += 1
            is_third = self.waits == 3
        if is_third and first_time():
            sys.stderr.write("heap corruption\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGSEGV)
            time.sleep(10)
        return client.wait(task_id, **options)


class DiesAfterItsAnswer(MiniAdapter):
    """Dies 0.3 s after its first answer to a wait, where the file that it is given does not exist."""

    capabilities = {"operations": ["print_parcel_label"]}

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        job = client.wait(task_id, **options)
        if first_time():
            threading.Timer(0.3, die, ["a late error that nobody catches"]).start()
        return job


class FailsAtItsEnd(MiniAdapter):
    """Answers everything, and exits with an error after the end of its stdin."""


class CrashesAtItsEnd(MiniAdapter):
    """Answers everything, and is killed by SIGABRT after the end of its stdin."""


class Warns(MiniAdapter):
    """Writes to stderr when it starts, and one of the lines is a warning."""

    def hello(self) -> dict[str, Any]:
        sys.stderr.write("loading\n\n(node:7) MaxListenersExceededWarning: " + 200 * "x" + "\n\x1b[31mbye")
        sys.stderr.flush()
        return super().hello()


class Leaks(MiniAdapter):
    """Shows its secret, which it writes into the file that it is given, wherever it can; it dies with it."""

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client:
        self.secret = api_secret
        write_into_the_file(api_secret)
        sys.stderr.write(f"signing with {api_secret}\n")
        sys.stderr.flush()
        return super().connect(base_url, api_key, api_secret)

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        try:
            return {"secret": self.secret, "output": super().wait(client, task_id, **options)}
        except GaveUp as error:
            if options:
                die(f"gave up with {self.secret}")
            raise GaveUp(f"{error}, signed with {self.secret}") from error


class LeaksAndFails(MiniAdapter):
    """Its client cannot be built, and the message has the secret in it."""

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client:
        write_into_the_file(api_secret)
        raise ValueError(f"what is {api_secret}?")


class LiesAboutElapsed(MiniAdapter):
    """Reports thrice the time."""

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client:
        class Clock:
            monotonic = staticmethod(lambda: 3 * time.monotonic())

        vars(waitproof_kit)["time"] = Clock
        return Client(base_url, api_key)


class IgnoresTheEnd(MiniAdapter):
    """Outlives the end of stdin and SIGTERM."""

    def hello(self) -> dict[str, Any]:
        threading.Thread(target=lambda: time.sleep(120)).start()
        return super().hello()


class IgnoresTheEndAndDeadlines(IgnoresTheEnd, NeverGivesUp):
    """The same, and its waits outlast any test: whenever it is interrupted, something is in flight."""


class Escapes(MiniAdapter):
    """Says things that no terminal and no encoding should see."""

    def hello(self) -> dict[str, Any]:
        sys.stderr.write("\x1b[31mred\x1b[0m and \x07\n")
        sys.stderr.flush()
        return {
            **super().hello(),
            "sdk": {"name": "[red]mini[/blue]\x1b[31m\ud800", "version": "\x1b]0;x\x07"},
        }

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        raise RuntimeError("\x1b[2J\ud800 [bold]")


class WrongPath(MiniAdapter):
    """Looks for the payload in the wrong place."""

    result_path = "trouble"


class Answerless(MiniAdapter):
    """Forgets the task's id, and has an operation that nobody knows."""

    task_id_path = "id"
    capabilities = {"max_concurrency": 1, "operations": ["print_parcel_label", "print_money"]}


class TakesTurns(MiniAdapter):
    """Says that it can do many calls at once, and does one after another."""

    turn = threading.Lock()

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        with self.turn:
            return client.wait(task_id, **options)


class WrongServer(MiniAdapter):
    """Does not use the base URL that it is given."""

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client:
        return Client("http://127.0.0.1:9", api_key)


def first_time() -> bool:
    """Say whether the file that the adapter is given did not exist, and make it."""
    try:
        os.close(os.open(sys.argv[3], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def write_into_the_file(text: str) -> None:
    with open(sys.argv[3], "w", encoding="utf-8") as file:
        file.write(text)


def die(words: str) -> Any:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
    os._exit(3)


MODES = {
    name: kind
    for name, kind in list(globals().items())
    if isinstance(kind, type) and issubclass(kind, MiniAdapter)
}

if __name__ == "__main__":
    mode = sys.argv[1]
    if issubclass(MODES[mode], IgnoresTheEnd):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if issubclass(MODES[mode], Async):
        run_async(MODES[mode]())
    else:
        run(MODES[mode]())
    if mode == "FailsAtItsEnd":
        sys.exit(5)
    if mode == "CrashesAtItsEnd":
        os.abort()
