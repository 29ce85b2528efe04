SELECT
    hostname AS host,
    avg(CASE WHEN metric_type = %(network_in)s THEN value END) AS in_average_mbit,
    max(CASE WHEN metric_type = %(network_in)s THEN value END) AS in_peak_mbit,
    avg(CASE WHEN metric_type = %(network_out)s THEN value END) AS out_average_mbit,
    max(CASE WHEN metric_type = %(network_out)s THEN value END) AS out_peak_mbit
FROM ({samples}) AS measured
GROUP BY hostname
ORDER BY in_average_mbit DESC, host
