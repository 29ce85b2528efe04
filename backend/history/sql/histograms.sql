-- Histograms: one row per metric, group and step with the counts of its observations in the bins of
-- backend.contract.sketch, as "bin:count bin:count". Bins add up, percentiles are taken from the sums alone.
WITH instants AS (
    -- Each instant of a series counts once, however many objects hold it.
    SELECT
        metric_type,
        hostname,
        CASE WHEN cardinality(labels) > 0 THEN labels END AS labels,
        "timestamp" AS sampled_at,
        max("value") AS sample,
        max_by(observations, "value") AS observations,
        max_by(region, "value") AS region
    FROM ({samples}) AS read
    WHERE abs("value") < 1e38
    GROUP BY 1, 2, 3, 4
),
lines AS (
    SELECT
        instants.metric_type,
        CASE
            WHEN asked.by_group = 0 OR asked.group_by = '' THEN ''
            WHEN asked.group_by = 'hostname' THEN instants.hostname
            WHEN asked.group_by = 'region' THEN coalesce(element_at(instants.labels, 'region'), instants.region)
            ELSE coalesce(element_at(instants.labels, asked.group_by), '')
        END AS line,
        sampled_at,
        sample,
        -- As the processor counts: what was seen no times was not seen. A pair that is none must not end the query.
        filter(
            observations,
            pair -> abs(element_at(pair, 1)) < 1e38 AND element_at(pair, 2) > 0 AND element_at(pair, 2) < 1e38
        ) AS observations
    FROM instants
    JOIN {catalogued}
        ON asked.metric_type = instants.metric_type
),
observed AS (
    -- A sample without observations is one observation of its value.
    SELECT metric_type, line, sampled_at, element_at(pair, 1) AS seen, element_at(pair, 2) AS times
    FROM lines
    CROSS JOIN UNNEST(
        CASE WHEN cardinality(observations) > 0 THEN observations ELSE ARRAY[ARRAY[sample, 1e0]] END
    ) AS one (pair)
),
bins AS (
    SELECT
        metric_type,
        line,
        floor(sampled_at / %(step)s) * %(step)s AS bucket,
        CASE WHEN seen > %(smallest)s THEN CAST(ceil(ln(seen) / %(log_gamma)s) AS bigint) ELSE %(zero_bin)s END AS bin,
        sum(times) AS times,
        sum(seen * times) AS total,
        max(seen) AS high
    FROM observed
    GROUP BY 1, 2, 3, 4
),
scored AS (
    SELECT *, max(high) OVER (PARTITION BY metric_type, line) AS score
    FROM bins
),
ranked AS (
    SELECT
        *,
        dense_rank() OVER (
            PARTITION BY metric_type
            ORDER BY CASE WHEN {pinned} THEN 0 ELSE 1 END, score DESC, line
        ) AS place
    FROM scored
),
named AS (
    SELECT *, CASE WHEN place > %(kept)s THEN %(rest)s ELSE line END AS name
    FROM ranked
),
numbered AS (
    -- The highest number is how many lines a name has, whatever bins they are in.
    SELECT *, dense_rank() OVER (PARTITION BY metric_type, bucket, name ORDER BY line) AS number
    FROM named
),
added AS (
    SELECT
        metric_type, bucket, name, bin,
        max(number) AS lines,
        sum(times) AS times,
        sum(total) AS total,
        max(high) AS high
    FROM numbered
    GROUP BY 1, 2, 3, 4
)
SELECT
    metric_type,
    bucket,
    name,
    max(lines) AS lines,
    sum(times) AS n,
    sum(total) AS total,
    max(high) AS high,
    array_join(array_agg(CAST(bin AS varchar) || ':' || CAST(times AS varchar)), ' ') AS bins
FROM added
GROUP BY 1, 2, 3
