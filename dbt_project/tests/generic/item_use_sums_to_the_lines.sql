{# Of the stays that were looked at again, items hold as many lines, as much of everything and as much money as lines do. #}
{% test item_use_sums_to_the_lines(model) %}
with

line as (
    select
        source_id,
        charge_group,
        count(*) as line_count,
        sum(cnt) as quantity,
        sum(det_item_fee_sumamt) as amount
    from {{ ref('fct_fee_line') }}
    where charge_group in ('drug', 'consumable') and {{ written() }}
    group by source_id, charge_group
),

held as (
    select
        source_id,
        charge_group,
        sum(line_count) as line_count,
        sum(quantity) as quantity,
        sum(amount) as amount
    from {{ model }}
    where {{ written() }}
    group by source_id, charge_group
)

(select * from line except select * from held)
union all
(select * from held except select * from line)
{% endtest %}
