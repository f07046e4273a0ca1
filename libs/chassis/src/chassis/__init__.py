"""What every service of the shop is bolted on to."""
