SELECT
    hostname AS host,
    avg(value) AS average_percent,
    max(value) AS highest_percent,
    min(value) AS lowest_percent,
    count(*) AS samples
FROM {metrics}
WHERE metric_type = %(cpu)s
  AND environment = %(environment)s
  AND (%(host)s = '' OR hostname = %(host)s)
GROUP BY hostname
ORDER BY average_percent DESC, host
