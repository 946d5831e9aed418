"""Shows two secrets of its environment, and the key of hello, wherever it can say something."""

import json
import os
import sys

from hostile_kit import HELLO, read, write

hello = read()
token = f"{os.environ['SOME_TOKEN']} {os.environ['OTHER_SECRET']}"
secret = f"{token} {hello['api_key']} {hello['api_secret']}"
sys.stderr.write(f"warning: {secret}\n{'.' * 1980} {os.environ['SOME_TOKEN'] * 2}\n")
sys.stderr.flush()
write(f"log: {secret}")
sdk = {"name": token, "version": hello["api_secret"], "language": "python", "runtime": token}
write(json.dumps({**HELLO, "sdk": sdk, "helper": token}))
while True:
    request = read()
    if request["op"] == "wait":
        raised = {"kind": "other", "type": token, "message": secret, "fields": {token: [secret]}}
        write(json.dumps({"id": request["id"], "outcome": "raised", "exception": raised}))
        continue
    answer = {"outcome": "adapter_error", "message": secret}
    write(json.dumps({"id": request["id"], **answer}))
    if request["op"] == "begin":
        sys.exit(1)
