-- Fleets: one row per metric and step with how the averages of its groups spread, as counts in the bins of
-- backend.contract.sketch. Only where there are more groups than are drawn as lines.
WITH instants AS (
    {instants}
),
series AS (
    SELECT
        instants.metric_type,
        hostname,
        labels,
        floor(sampled_at / asked.base) * asked.base AS slot,
        count(*) AS n,
        avg(sample) AS average
    FROM instants
    JOIN {catalogued}
        ON asked.metric_type = instants.metric_type
    GROUP BY 1, 2, 3, 4
),
lines AS (
    SELECT
        series.metric_type,
        asked.combine,
        {line} AS line,
        slot, n, average
    FROM series
    JOIN {catalogued}
        ON asked.metric_type = series.metric_type
),
side_by_side AS (
    SELECT
        metric_type, line, slot,
        CASE combine
            WHEN 'sum' THEN sum(average)
            WHEN 'max' THEN max(average)
            WHEN 'min' THEN min(average)
            ELSE sum(average * n) / sum(n)
        END AS average
    FROM lines
    GROUP BY metric_type, combine, line, slot
),
spread AS (
    SELECT *, count(*) OVER (PARTITION BY metric_type, slot) AS lines
    FROM side_by_side
),
bins AS (
    SELECT
        metric_type,
        floor(slot / %(step)s) * %(step)s AS bucket,
        CASE WHEN average > %(smallest)s THEN CAST(ceil(ln(average) / %(log_gamma)s) AS bigint) ELSE %(zero_bin)s END
            AS bin,
        count(*) AS times,
        max(lines) AS lines
    FROM spread
    WHERE lines > %(kept)s
    GROUP BY 1, 2, 3
)
SELECT
    metric_type,
    bucket,
    max(lines) AS lines,
    array_join(array_agg(CAST(bin AS varchar) || ':' || CAST(times AS varchar)), ' ') AS bins
FROM bins
GROUP BY 1, 2
