SELECT
    hostname AS host,
    avg(CASE WHEN metric_type = %(network_in)s THEN value END) AS in_average_mbit,
    max(CASE WHEN metric_type = %(network_in)s THEN value END) AS in_peak_mbit,
    avg(CASE WHEN metric_type = %(network_out)s THEN value END) AS out_average_mbit,
    max(CASE WHEN metric_type = %(network_out)s THEN value END) AS out_peak_mbit
FROM {metrics}
WHERE metric_type IN (%(network_in)s, %(network_out)s)
  AND environment = %(environment)s
  AND (%(host)s = '' OR hostname = %(host)s)
GROUP BY hostname
ORDER BY in_average_mbit DESC, host
