"""Returns, raises and names things that have no UTF-8."""

import json

from hostile_kit import answer, greet, read, write

greet()
answer(read(), result="\ud800")
fault = {"kind": "other", "type": "\udfff", "message": "\ud800", "fields": {"\ud800": None}}
write(json.dumps({"id": read()["id"], "outcome": "raised", "exception": fault}))
write(json.dumps({"id": read()["id"], "outcome": "\ud800"}))
read()
