"""Answers its only call once too often."""

from hostile_kit import answer, greet, read

greet()
call = read()
answer(call)
answer(call)
read()
