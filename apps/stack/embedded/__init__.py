"""The embedded AWS: ministack on loopback, made durable and guarded. Runs in its own environment.

Nothing here imports Django or the product, and the product imports nothing from here.
"""
