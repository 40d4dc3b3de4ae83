"""How cost grows with what is asked for: `python -m benchmarks.growth`.

Each module named in `CURVES` measures one thing at several sizes, every size in a process and a folder of its
own, and says how that is drawn. The figures are written beside the pictures, so that they can be drawn again.
"""
