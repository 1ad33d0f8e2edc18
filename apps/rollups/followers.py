"""What follows the trail here."""

from apps.following.records import Follower
from apps.rollups.counting import take

FOLLOWERS = [Follower("rollups", take)]
