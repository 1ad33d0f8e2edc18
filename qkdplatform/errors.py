"""What the Lambda entry raises itself."""


class UnknownEvent(Exception):
    """Nothing here handles this event, so AWS keeps it and delivers it again."""
