"""One file per paper: its networks and the parts it uses."""
