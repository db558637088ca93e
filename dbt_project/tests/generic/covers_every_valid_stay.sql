{# Parts add up to the total: per origin and currency, the cells hold as many stays, deaths, days and as much cost as the valid stays. #}
{% test covers_every_valid_stay(model) %}
with

stays as (
    select
        origin,
        currency,
        count(*) as stay_count,
        count(*) filter (where is_dead) as death_count,
        sum(stay_days) as stay_days,
        sum(medfee_sumamt) as cost
    from {{ ref('fct_stay') }}
    where is_valid
    group by all
),

cells as (
    select
        origin,
        currency,
        sum(stay_count) as stay_count,
        sum(death_count) as death_count,
        sum(stay_days) as stay_days,
        sum(cost) as cost
    from {{ model }}
    group by all
)

(select * from stays except select * from cells)
union all
(select * from cells except select * from stays)
{% endtest %}
