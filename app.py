"""The page: draw a digit and watch it being read, train the network that reads it, look inside.

python app.py
"""

from mnist_core.page import build, serve, warm_up

demo = build()

if __name__ == "__main__":
    warm_up()
    serve(demo)
