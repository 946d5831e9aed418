"""Prints this and that between its answers, as SDKs with a logger do."""

from hostile_kit import answer, greet, read, write

write("SDK 1.0 says welcome")
greet()
call = read()
write("")
write("   {indented: is no object}")
answer(call)
read()
