"""How fast the shop is, beside the limit of what it stands on, measured in the same run: `make bench`."""
