-- Fleets: one row per metric and step with how the averages of its groups spread, as counts in the bins of
-- backend.contract.sketch. Only where there are more groups than are drawn as lines.
WITH samples AS (
    -- Each instant of a series counts once, however many objects hold it.
    SELECT
        read.metric_type,
        asked.combine,
        CASE asked.group_by
            WHEN '' THEN ''
            WHEN 'hostname' THEN read.hostname
            ELSE coalesce(element_at(read.labels, asked.group_by), '')
        END AS line,
        read.hostname,
        CASE WHEN cardinality(read.labels) > 0 THEN read.labels END AS labels,
        read."timestamp" AS sampled_at,
        max(read."value") AS sample
    FROM ({samples}) AS read
    JOIN (VALUES {asked}) AS asked (metric_type, group_by, combine, badness, by_group, counts)
        ON asked.metric_type = read.metric_type
    WHERE abs(read."value") < 1e38
    GROUP BY 1, 2, 3, 4, 5, 6
),
series AS (
    SELECT
        metric_type, combine, line, hostname, labels,
        floor(sampled_at / %(base)s) * %(base)s AS slot,
        count(*) AS n,
        avg(sample) AS average
    FROM samples
    GROUP BY 1, 2, 3, 4, 5, 6
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
    FROM series
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
