#!/usr/bin/env python3
"""The command line of Runs Dashboard."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "runs_dashboard.settings")
    # Settings are read before a command sees its options, so the one option that moves them is read here.
    for place, word in enumerate(sys.argv):
        if word == "--data-dir" and place + 1 < len(sys.argv):
            os.environ["DATA_DIR"] = sys.argv[place + 1]
        elif word.startswith("--data-dir="):
            os.environ["DATA_DIR"] = word.partition("=")[2]
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
