{#
The sources in a region of which a hospital came, went or changed between two snapshots; none, as a rule. A register that
was delivered again with the same words is no change.
#}
{% macro sources_registered_anew(after, until) %}
    {% set query %}
        with
        altered as (
            select * exclude (sign)
            from (
                select * exclude (batch_id, row_no), 1 as sign
                from {{ raw_changes('insertions', 'hospital', after, until) }}
                union all
                select * exclude (batch_id, row_no), -1 as sign
                from {{ raw_changes('deletions', 'hospital', after, until) }}
            ) as changed
            group by all
            having sum(sign) <> 0
        )
        select source_id from altered
        union
        select hospital.source_id
        from {{ source('raw', 'hospital') }} as hospital
        where coalesce(nullif(trim(hospital.region), ''), 'unknown') in (
            select coalesce(nullif(trim(altered.region), ''), 'unknown') from altered
        )
        order by source_id
    {% endset %}
    {{ return(run_query(query).columns[0].values() | list) }}
{% endmacro %}
