"""Print the list of common passwords, made from the development dependency zxcvbn.

python tools/common_passwords.py > services/user-service/user_service/accounts/common_passwords.txt
"""

from __future__ import annotations

from importlib.metadata import version

from zxcvbn.frequency_lists import FREQUENCY_LISTS

HEADER = """\
# The most common passwords, most common first: the list "passwords" of zxcvbn {version}.
# Made by tools/common_passwords.py. Do not edit.
# Copyright (c) 2016 Daniel Wolf, MIT License: the same text as in the file LICENSE of this repository."""

if __name__ == "__main__":
    print(HEADER.format(version=version("zxcvbn")), *FREQUENCY_LISTS["passwords"], sep="\n")
