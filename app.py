"""The page: draw a digit and watch it being read, train the network that reads it, look inside.

python app.py
"""

import sys

from mnist_core.runs.hosting import hosting_from

try:
    hosting_from()
except ValueError as error:
    sys.exit(str(error))

# Gradio reads its port from the environment as it is imported, and fails there with a traceback.
from mnist_core.page import build, serve, warm_up

demo = build()

if __name__ == "__main__":
    warm_up()
    serve(demo)
