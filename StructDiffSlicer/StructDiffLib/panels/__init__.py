"""One panel per step of the way; each has its .ui file in Resources/UI."""
