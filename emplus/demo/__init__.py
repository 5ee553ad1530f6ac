"""The page of ``emplus demo``: mixtures, searches and prototypes to be moved by hand.

A server in Python (Bokeh) runs the engine of the library; the browser shows what its observers see.
"""
