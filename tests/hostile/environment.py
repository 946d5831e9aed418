"""Returns the environment and the folder it was started with."""

import os

from hostile_kit import answer, greet, read

greet()
answer(read(), result={"folder": os.getcwd(), **os.environ})
read()
