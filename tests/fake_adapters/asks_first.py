"""The reference client, but each wait sends a hidden request, before its polls or after them."""

import sys
import threading
from typing import Any

from waitproof_kit import run

from reference_client import Client, StreamTransportException
from reference_client.adapter import ReferenceAdapter
from reference_client.wire import Request


class AsksFirst(ReferenceAdapter):
    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        url = client._api._base_url
        client._send(Request("GET", "/api/v2/app", f"{url}/api/v2/app", {}), 5.0)
        return client.wait_for_task(task_id, **options)


class EndsTheTask(ReferenceAdapter):
    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        try:
            return client.wait_for_task(task_id, **options)
        except StreamTransportException:
            path = f"/api/v2/tasks/{task_id}"
            with Client("key", "secret", client._api._base_url) as other:  # on a connection of its own
                other._send(Request("DELETE", path, f"{client._api._base_url}{path}", {}), 5.0)
            raise


class LooksLater(ReferenceAdapter):
    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        result = client.wait_for_task(task_id, **options)
        threading.Timer(0.5, self.get_task, (client, task_id)).start()  # its scenario is over by then
        return result


DEFECTS = {"asks-first": AsksFirst, "ends-the-task": EndsTheTask, "looks-later": LooksLater}

run(DEFECTS[sys.argv[1]](Client))
