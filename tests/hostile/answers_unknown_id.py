"""Answers a call that was never made."""

from hostile_kit import answer, greet, read

greet()
read()
answer({"id": "99"})
read()
