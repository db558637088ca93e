{# Per month that was looked at again, the indicator holds as much of everything and as much money as the valid stays used. #}
{% test item_use_indicator_covers(model, charge_group) %}
with

used as (
    select
        stay.discharge_month,
        stay.hospital_id,
        sum(item.quantity) as quantity,
        sum(item.amount) as amount
    from {{ ref('fct_item_use') }} as item
    inner join {{ ref('fct_stay') }} as stay
        on item.stay_id = stay.stay_id
    where
        stay.is_valid
        and item.charge_group = '{{ charge_group }}'
        and (item.quantity <> 0 or item.amount <> 0)
        and {{ touched('stay.discharge_month', by='month') }}
    group by all
),

held as (
    select
        discharge_month,
        hospital_id,
        sum(quantity) as quantity,
        sum(amount) as amount
    from {{ model }} as held
    where {{ touched('held.discharge_month', by='month') }}
    group by all
)

(select * from used except select * from held)
union all
(select * from held except select * from used)
{% endtest %}
