"""The page: draw a digit and watch it being read, train the network that reads it, look inside.

python app.py
"""

from mnist_core.page import build, look

demo = build()

if __name__ == "__main__":
    demo.launch(**look())
