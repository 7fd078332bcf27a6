"""The command `structdiff`: verbs to pipelines, imported only when asked."""
