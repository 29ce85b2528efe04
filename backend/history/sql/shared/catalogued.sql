-- What the catalogue says of each metric that is asked for.
(VALUES {asked}) AS asked (metric_type, group_by, combine, badness, by_group, counts, base)
