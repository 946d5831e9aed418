"""The module for tests in JavaScript: the examples of the documentation, to the letter, run by Node.

Vitest and @playwright/test are some hundred megabytes, so two small modules stand in for them: one is Node's
own test runner, the other that and a browser of the Playwright that Python has.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import playwright
import pytest
from playwright.sync_api import sync_playwright
from waitproof.serve.server import ServeOptions, Service, serving
from waitproof.suite.files import bundled_suite

NODE = shutil.which("node")
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-mock-server.md"
DRIVER = Path(playwright.__file__).parent / "driver" / "package" / "index.mjs"
LIMIT_S = 60.0

EXPORT = """
export async function exportChannels(baseUrl, taskId) {
  for (;;) {
    const answer = await fetch(`${baseUrl}/api/v2/tasks/${taskId}`);
    const task = await answer.json();
    if (task.status === "completed") return task.result;
    if (task.status === "failed") throw new Error(task.error.description);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}
"""
HTML = """
export const pageFor = (baseUrl, taskId) => `<p id="state">still exporting</p><script>
  const timer = setInterval(async () => {
    const task = await (await fetch("${baseUrl}/api/v2/tasks/${taskId}")).json();
    if (task.status !== "completed") return;
    clearInterval(timer);
    document.getElementById("state").textContent = task.result.channels + " channels exported";
  }, 50);
</script>`;
"""
VITEST = 'export { test } from "node:test";\n'
PLAYWRIGHT = """
import { test as run } from "node:test";
import { chromium } from DRIVER;
export const test = (name, body) => run(name, async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
  try {
    await body({ page: await browser.newPage() });
  } finally {
    await browser.close();
  }
});
"""

pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node on PATH")


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(ServeOptions(folder=bundled_suite("stream"))) as served:
        yield served


def saved(service: Service, folder: Path) -> None:
    """Lay down what the examples import."""
    for name in ("client.mjs", "client.d.mts"):
        answer = httpx.get(f"{service.base_url}/_waitproof/{name}", timeout=LIMIT_S)
        (folder / name).write_bytes(answer.raise_for_status().content)
    (folder / "export.mjs").write_text(EXPORT)
    (folder / "page.mjs").write_text(HTML)
    modules = {"vitest": VITEST, "@playwright/test": PLAYWRIGHT.replace("DRIVER", repr(str(DRIVER)))}
    for name, text in modules.items():
        place = folder / "node_modules" / name
        place.mkdir(parents=True)
        (place / "package.json").write_text('{"type": "module", "exports": "./index.mjs"}')
        (place / "index.mjs").write_text(text)


def run(folder: Path, service: Service, code: str, *options: str, **variables: str) -> str:
    """Run a module as if it were in a folder, and return what it prints."""
    file = folder / "run.mjs"
    file.write_text(code)
    assert NODE is not None
    done = subprocess.run(
        [NODE, *options, str(file)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        cwd=folder,
        env=os.environ | {"WAITPROOF_URL": service.base_url, **variables},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def example(file: str) -> str:
    """Return an example of the documentation."""
    (text,) = re.findall(rf"```js\n(// {re.escape(file)}\n.*?)```", PAGE.read_text(), re.DOTALL)
    return str(text)


def test_the_vitest_example_passes(service: Service, tmp_path: Path) -> None:
    saved(service, tmp_path)

    told = run(tmp_path, service, example("export.test.mjs"), "--test-reporter=tap")

    assert "\n# pass 3\n" in told


def test_the_playwright_example_passes(service: Service, tmp_path: Path) -> None:
    saved(service, tmp_path)
    with sync_playwright() as driver:
        chromium = driver.chromium.executable_path
    if not Path(chromium).exists():
        chromium = shutil.which("chromium") or ""
    if not chromium:
        pytest.skip("there is no Chromium")

    told = run(tmp_path, service, example("export.spec.mjs"), "--test-reporter=tap", CHROMIUM=chromium)

    assert "\n# pass 1\n" in told


def test_every_name_of_the_module_has_a_type_and_nothing_else(service: Service, tmp_path: Path) -> None:
    saved(service, tmp_path)
    code = 'import * as client from "./client.mjs"; console.log(Object.keys(client).sort().join(" "));'
    types = (tmp_path / "client.d.mts").read_text()

    names = run(tmp_path, service, code).split()

    assert names == sorted(re.findall(r"^export (?:const|function) (\w+)", types, re.MULTILINE))
    server = types.partition("interface Server {")[2].partition("\n}")[0]
    assert sorted({*re.findall(r"^  (?:readonly )?(\w+)[(:]", server, re.MULTILINE), "connect"}) == names
    assert httpx.get(f"{service.base_url}/_waitproof/client.d.ts").text == types


def test_a_refusal_is_an_error_with_every_line_of_it(service: Service, tmp_path: Path) -> None:
    saved(service, tmp_path)
    code = """
import { add, connect, polls } from "./client.mjs";
const said = async (promise) => { try { await promise; } catch (error) { console.log(error.message); } };
await said(add({ task: [{ stauts: "pending" }] }));
await said(polls("nobody"));
await said(connect(`${process.env.WAITPROOF_URL}/`).add("never-ends", { taskId: "a/b ~" }).then(polls));
console.log((await polls("a/b ~")).length);
"""

    lines = run(tmp_path, service, code).splitlines()

    assert lines[0] == "inline:1:11: a step has no key 'stauts'"
    assert "  fix: did you mean 'status'?" in lines
    assert "no task has the id nobody" in lines
    assert lines[-1] == "0"
