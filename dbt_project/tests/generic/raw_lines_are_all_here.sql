{# Nothing is lost or doubled between raw and the mart: per source, as many lines and as much money. #}
{% test raw_lines_are_all_here(model) %}
with

landed as (
    select
        source_id,
        count(*) as line_count,
        sum(det_item_fee_sumamt) as amount
    from {{ source('raw', 'fee_line') }}
    group by source_id
),

held as (
    select
        source_id,
        count(*) as line_count,
        sum(det_item_fee_sumamt) as amount
    from {{ model }}
    group by source_id
)

(select * from landed except select * from held)
union all
(select * from held except select * from landed)
{% endtest %}
