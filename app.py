"""The page: draw a digit and watch it being read, train the network that reads it, look inside.

python app.py
"""

import sys

from mnist_core.runs.hosting import hosting_from, prepare

# Gradio reads the environment as it is imported, and would fail there with a traceback.
try:
    hosting_from()
    for sentence in prepare():
        print(sentence)
except ValueError as error:
    sys.exit(str(error))

from mnist_core.page import build, serve, warm_up

demo = build()

if __name__ == "__main__":
    warm_up()
    serve(demo)
