"""``python -m apps.stack.manage <command> …``: a management command for the platform that ``make run`` started here."""

import os
import sys

from apps.stack import layout
from apps.stack.configuration import ROOT, BadConfiguration, Configuration


def main() -> None:
    """Become ``manage.py`` with the settings of the local platform."""
    try:
        configuration = Configuration.read(os.environ)
        if not (configuration.folder / layout.DATABASE).exists():
            sys.exit(f"{configuration.folder} holds no platform: `make run` makes one.")
        layout.check_keys(configuration.folder)
        environment = configuration.environment(os.environ, layout.own_secrets(configuration.folder))
    except (BadConfiguration, layout.Unusable) as error:
        sys.exit(str(error))
    os.execve(sys.executable, [sys.executable, str(ROOT / "manage.py"), *sys.argv[1:]], environment)  # noqa: S606 - no shell


if __name__ == "__main__":
    main()
