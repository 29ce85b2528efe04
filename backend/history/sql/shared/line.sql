-- The line that a series belongs to.
CASE asked.group_by
    WHEN '' THEN ''
    WHEN 'hostname' THEN series.hostname
    ELSE coalesce(element_at(series.labels, asked.group_by), '')
END
