{# Nothing is lost or doubled between the landed front pages and the mart: per source, as many stays and as much cost. #}
{% test holds_every_front_page(model) %}
with

landed as (
    select
        source_id,
        count(*) as stay_count,
        sum(medfee_sumamt) as cost
    from {{ source('raw', 'front_page') }}
    group by source_id
),

held as (
    select
        source_id,
        count(*) as stay_count,
        sum(medfee_sumamt) as cost
    from {{ model }}
    group by source_id
)

(select * from landed except select * from held)
union all
(select * from held except select * from landed)
{% endtest %}
