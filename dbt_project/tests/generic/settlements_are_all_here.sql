{# Nothing is lost or doubled between raw and the mart: per source, as many settlements and as much money. #}
{% test settlements_are_all_here(model) %}
with

landed as (
    select
        source_id,
        count(*) as row_count,
        sum(medfee_sumamt) as amount
    from {{ source('raw', 'settlement') }}
    group by source_id
),

held as (
    select
        source_id,
        count(*) as row_count,
        sum(medfee_sumamt) as amount
    from {{ model }}
    group by source_id
)

(select * from landed except select * from held)
union all
(select * from held except select * from landed)
{% endtest %}
