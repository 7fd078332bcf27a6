"""One file per verb a user knows: each `run(job) -> Iterator[Event]`."""
