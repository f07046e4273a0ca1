"""What somebody who means harm would try, against both real apps and real servers."""
