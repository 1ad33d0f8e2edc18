"""``python -m apps.stack.embedded``: the environment is set before ministack is imported and reads it."""

from apps.stack.embedded import surroundings

surroundings.set_up()

from apps.stack.embedded.server import main  # noqa: E402 - see above

main()
