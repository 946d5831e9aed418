"""Cannot find its SDK."""

import sys

sys.stderr.write("loading\nno module named 'getstream'\n")
sys.exit(3)
