"""BB84 quantum key distribution: simulated to the photon, post-processed as a real link would be.

``qkd.session.run`` does it all; every step stands alone in its module. Nothing here knows Django or AWS.
"""
